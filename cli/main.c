/* minicpmv COMMAND ...: finds the command, runs it, turns its status into words and an exit code. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/outputs.h"
#include "core/log.h"
#include "core/unfinished.h"

/* One a line, so that a new one changes one line. */
/* clang-format off */
static const mcv_command *const COMMANDS[] = {
    &mcv_chat_command,
    &mcv_verify_command,
    &mcv_dump_command,
    &mcv_diff_command,
    &mcv_bench_command,
    &mcv_bisect_command,
    &mcv_logits_command,
    &mcv_inspect_command,
    &mcv_tokenize_command,
    &mcv_detokenize_command,
    &mcv_preprocess_command,
    &mcv_eval_command,
    &mcv_quantize_command,
    &mcv_imatrix_command,
    &mcv_synth_command,
    &mcv_kernels_command,
    NULL,
};
/* clang-format on */

static const mcv_command *find_command(const char *name) {
    for (const mcv_command *const *command = COMMANDS; *command; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

static void print_overview(FILE *stream) {
    fprintf(stream, "usage: minicpmv COMMAND [options]\n\nMiniCPM-V 4.5 on CPUs.\n\ncommands:\n");
    for (const mcv_command *const *command = COMMANDS; *command; command++)
        fprintf(stream, "  %-12s %s\n", (*command)->name, (*command)->summary);
    fprintf(stream, "\n"
                    "minicpmv help COMMAND    what a command does and takes\n"
                    "minicpmv --version       the program's version\n"
                    "\n"
                    "exit codes: 0 right, 1 differs, 2 wrong use, 3 missing or damaged input,\n"
                    "4 the CPU or this build lacks what was asked for\n");
}

/* The same "minicpmv COMMAND: message" for every failure. */
static int report(mcv_status status, const char *command) {
    mcv_log_progress_end();
    if (status == MCV_OK)
        return 0;
    fprintf(stderr, "minicpmv%s%s: %s\n", command ? " " : "", command ? command : "", mcv_error_message());
    if (status == MCV_USAGE)
        fprintf(stderr, "'minicpmv %s%s--help' tells how it is used.\n", command ? command : "", command ? " " : "");
    return mcv_exit_code(status);
}

static mcv_status unknown_command(const char *name) {
    return MCV_FAIL(MCV_USAGE, "there is no command '%s'", name);
}

static mcv_status run_help(int argc, char **argv) {
    if (argc < 2) {
        print_overview(stdout);
        return MCV_OK;
    }
    const mcv_command *command = find_command(argv[1]);
    if (!command || argc > 2)
        return unknown_command(argv[command ? 2 : 1]);
    mcv_command_print_help(command);
    return MCV_OK;
}

static mcv_status run_command(const mcv_command *command, int argc, char **argv) {
    mcv_arguments arguments;
    mcv_status status = mcv_arguments_parse(command, argc, argv, &arguments);
    mcv_log_set_quiet(arguments.quiet);
    if (status == MCV_OK && arguments.help)
        mcv_command_print_help(command);
    else if (status == MCV_OK && (status = mcv_outputs_check(&arguments)) == MCV_OK)
        status = command->run(&arguments);
    mcv_arguments_free(&arguments);
    return status;
}

/* Results that could not be written are a failure, whatever the command says. */
static mcv_status finish_output(void) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "standard output: cannot be written%s%s", errno ? ": " : "",
                    errno ? strerror(errno) : "");
}

/* Where a standard stream was closed by the caller, the next file that is opened would take its place. */
static void keep_standard_streams(void) {
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        if (fcntl(file, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            _exit(mcv_exit_code(MCV_UNSUPPORTED));
}

static bool is_any_of(const char *word, const char *a, const char *b) {
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv) {
    keep_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error, not a silent end */
    mcv_unfinished_watch_signals();
    const char *name = argc > 1 ? argv[1] : NULL;
    const mcv_command *command = name ? find_command(name) : NULL;
    mcv_status status = MCV_OK;
    if (!name) {
        print_overview(stderr);
        return MCV_USAGE;
    }
    if (command)
        status = run_command(command, argc - 1, argv + 1);
    else if (is_any_of(name, "--help", "-h") || strcmp(name, "help") == 0)
        status = run_help(argc - 1, argv + 1);
    else if (strcmp(name, "--version") == 0)
        printf("minicpmv " MCV_VERSION "\n");
    else if (name[0] == '-')
        status = MCV_FAIL(MCV_USAGE, "unknown option %s", name);
    else
        status = unknown_command(name);

    int exit_code = report(status, command ? name : NULL);
    if (status == MCV_BAD_INPUT && ferror(stdout))
        return exit_code; /* the command has seen it, and told */
    mcv_status written = finish_output();
    return written == MCV_OK ? exit_code : report(written, command ? name : NULL);
}
