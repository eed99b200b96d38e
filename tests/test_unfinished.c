#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "tests/temporary.h"

/* How many files the test's folder holds. */
static int count_files(void) {
    int count = 0;
    DIR *entries = opendir(temporary_folder());
    cr_assert_not_null(entries);
    for (struct dirent *entry; (entry = readdir(entries));)
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

static void write_and_raise(const char *path, int number) {
    mcv_file_writer first, second;
    mcv_unfinished_watch_signals();
    bool opened = mcv_writer_open(&first, path) == MCV_OK && mcv_writer_open(&second, path) == MCV_OK &&
                  mcv_writer_write(&first, "x", 1) == MCV_OK && mcv_writer_commit(&second) == MCV_OK;
    if (opened)
        raise(number);
    _exit(1);
}

/* One file is complete when the signal comes, another is not. */
static void expect_removal(int number) {
    const char *path = temporary_path("output");
    int how;
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        write_and_raise(path, number);
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_expect(WIFSIGNALED(how) && WTERMSIG(how) == number, "ended by %d, expected %d", how, number);
    cr_expect(mcv_file_exists(path));
    cr_expect_eq(count_files(), 1);
    unlink(path);
}

Test(unfinished, signals_remove_what_is_not_complete) {
    expect_removal(SIGINT);
    expect_removal(SIGTERM);
    expect_removal(SIGHUP);
}

Test(unfinished, ignored_signals_stay_ignored) {
    const char *path = temporary_path("output");
    mcv_file_writer writer;
    signal(SIGHUP, SIG_IGN);
    mcv_unfinished_watch_signals();
    cr_assert_eq(mcv_writer_open(&writer, path), MCV_OK);
    raise(SIGHUP);
    cr_expect_eq(mcv_writer_commit(&writer), MCV_OK, "%s", mcv_error_message());
    cr_expect_eq(count_files(), 1);
}

Test(unfinished, a_group_is_kept_or_removed) {
    char folder[256], file[300];
    snprintf(folder, sizeof folder, "%s", temporary_path("group"));
    snprintf(file, sizeof file, "%s/file", folder);
    for (int complete = 1; complete >= 0; complete--) {
        const mcv_unfinished *before = mcv_unfinished_newest();
        cr_assert(mkdir(folder, 0777) == 0 || complete == 0);
        cr_assert_eq(mcv_unfinished_add(folder, NULL), MCV_OK);
        fclose(fopen(file, "w"));
        cr_assert_eq(mcv_unfinished_add(file, NULL), MCV_OK);
        mcv_unfinished_settle(before, complete);
        mcv_unfinished_settle(before, false); /* what was settled once stays as it is */
        cr_expect_eq(mcv_file_exists(file), complete);
        cr_expect_eq(mcv_file_exists(folder), complete);
    }
}

Test(unfinished, what_was_there_before_stays) {
    char there[300], new[300];
    snprintf(there, sizeof there, "%s", temporary_path("there"));
    snprintf(new, sizeof new, "%s", temporary_path("new"));
    const mcv_unfinished *before = mcv_unfinished_newest();
    fclose(fopen(there, "w"));
    cr_assert_eq(mcv_unfinished_add_new(there), MCV_OK);
    cr_assert_eq(mcv_unfinished_add_new(new), MCV_OK);
    fclose(fopen(new, "w"));
    mcv_unfinished_settle(before, false);
    cr_expect(mcv_file_exists(there));
    cr_expect_not(mcv_file_exists(new));
}
