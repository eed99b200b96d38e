/* Takes the place of the C library's execve in tests that run in an emulator of another CPU: Criterion starts a program
 * of its own for each test, which the kernel would not run. The environment variable EMULATOR names the emulator. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int execve(const char *path, char *const argv[], char *const envp[]) {
    enum { MAX_WORDS = 64 };
    const char *words[MAX_WORDS] = {getenv("EMULATOR"), path};
    if (!words[0])
        return (int)syscall(SYS_execve, path, argv, envp);
    for (int i = 1; argv[0] && argv[i]; i++) {
        if (i + 2 == MAX_WORDS) {
            errno = E2BIG;
            return -1;
        }
        words[i + 1] = argv[i];
    }
    return (int)syscall(SYS_execve, words[0], words, envp);
}
