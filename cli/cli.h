/* The frame of the program: what a subcommand is, and how it reads its command line.
 *
 * To add one, write cli/NAME.c with
 *
 *     static mcv_status run(const mcv_arguments *arguments) { ... }
 *
 *     static const mcv_option OPTIONS[] = {{'m', "model", "FOLDER", "the model"}, {0}};
 *
 *     const mcv_command mcv_NAME_command = {
 *         .name = "NAME",
 *         .summary = "one line for `minicpmv --help`",
 *         .operands = "FILE...",
 *         .min_operands = 1,
 *         .max_operands = MCV_ANY_NUMBER,
 *         .details = "What it does, prints and needs.\n",
 *         .takes = MCV_TAKES_THREADS,
 *         .options = OPTIONS,
 *         .run = run,
 *     };
 *
 * declare mcv_NAME_command below and name it in COMMANDS in cli/main.c. Options are parsed and checked before `run` is
 * called. Results go to standard output, everything else to standard error. On failure `run` returns a status with a
 * message (MCV_FAIL); the frame prints "minicpmv NAME: message" and leaves with mcv_exit_code(status). */
#ifndef MCV_CLI_CLI_H
#define MCV_CLI_CLI_H

#include "core/memory.h"

#define MCV_VERSION "0.1.0"

/* An option of a command; a table of them ends with one that has no name. */
typedef struct mcv_option {
    char letter;          /* 'm'; 0: the long form only */
    const char *name;     /* "model" */
    const char *argument; /* what the help calls its value; NULL: a flag */
    const char *help;     /* one line */
} mcv_option;

enum { MCV_ANY_NUMBER = -1 };

/* The common options that not every command has a use for; where it has none, giving one leads to a remark. */
enum {
    MCV_TAKES_ENGINE = 1,
    MCV_TAKES_DTYPE = 2,
    MCV_TAKES_TARGET = 4,
    MCV_TAKES_THREADS = 8,
    MCV_TAKES_ALL = 15 /* a command that runs a model */
};

typedef struct mcv_arguments mcv_arguments;

typedef struct mcv_command {
    const char *name;
    const char *summary;
    const char *operands; /* as the usage line shows them; "" where there are none */
    int min_operands, max_operands;
    const char *details;
    unsigned takes;            /* MCV_TAKES_...; --json, --quiet and --help go with every command */
    const mcv_option *options; /* besides the common ones; one of the same name takes its place */
    mcv_status (*run)(const mcv_arguments *arguments);
} mcv_command;

/* An option as it was given. */
typedef struct mcv_given_option {
    const char *name;
    const char *value; /* NULL for a flag */
} mcv_given_option;

/* A parsed command line. */
struct mcv_arguments {
    const mcv_command *command;
    mcv_given_option *given; /* [num_given], in the order of the command line */
    int num_given;
    char **operands; /* [num_operands] */
    int num_operands;

    /* Common options. --engine, --dtype and --target have been checked against this build and CPU. */
    bool json, quiet, help;
    int threads; /* 0: one per processor */
};

/* Parses what follows the command's name. MCV_USAGE: an unknown option, a missing or malformed value, a wrong number of
 * operands. MCV_UNSUPPORTED: an engine, element type or instruction set that this build or CPU lacks. With --help the
 * rest is not checked. Release with mcv_arguments_free, also after a failure. */
mcv_status mcv_arguments_parse(const mcv_command *command, int argc, char **argv, mcv_arguments *arguments);
void mcv_arguments_free(mcv_arguments *arguments);

void mcv_command_print_help(const mcv_command *command);

/* How often an option was given. */
int mcv_option_count(const mcv_arguments *arguments, const char *name);
/* The value that was given last, NULL where none was. */
const char *mcv_option_value(const mcv_arguments *arguments, const char *name);
/* The same, `otherwise` where none was. */
const char *mcv_option_or(const mcv_arguments *arguments, const char *name, const char *otherwise);
/* The same, but MCV_USAGE where none was given. */
mcv_status mcv_option_required(const mcv_arguments *arguments, const char *name, const char **value);
/* Numbers; *value stays as it is where the option was not given. Bounds are included. */
mcv_status mcv_option_int(const mcv_arguments *arguments, const char *name, int min, int max, int *value);
mcv_status mcv_option_double(const mcv_arguments *arguments, const char *name, double min, double max, double *value);

/* The commands, each in the file of its name. */
extern const mcv_command mcv_bench_command;
extern const mcv_command mcv_bisect_command;
extern const mcv_command mcv_chat_command;
extern const mcv_command mcv_detokenize_command;
extern const mcv_command mcv_diff_command;
extern const mcv_command mcv_eval_command;
extern const mcv_command mcv_dump_command;
extern const mcv_command mcv_imatrix_command;
extern const mcv_command mcv_inspect_command;
extern const mcv_command mcv_kernels_command;
extern const mcv_command mcv_logits_command;
extern const mcv_command mcv_preprocess_command;
extern const mcv_command mcv_quantize_command;
extern const mcv_command mcv_verify_command;
extern const mcv_command mcv_tokenize_command;
extern const mcv_command mcv_synth_command;

#endif
