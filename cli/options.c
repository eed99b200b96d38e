#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"

enum { MAX_OPTIONS = 64, MAX_THREADS = 1024, FIRST_CODE = 256 /* above every letter */ };

typedef struct common_option {
    unsigned takes; /* what a command says that has a use for it; 0: every command has */
    mcv_option option;
} common_option;

static const common_option COMMON_OPTIONS[] = {
    {MCV_TAKES_ENGINE,
     {0, "engine", "ENGINE", "ref, the reference, or fast (default: fast in chat, eval and bench, ref elsewhere)"}},
    {MCV_TAKES_DTYPE, {0, "dtype", "TYPE", "weights as f32, bf16, int8, int4, or stored: as the file has them"}},
    {MCV_TAKES_TARGET, {0, "target", "NAME", "the instruction set, as `minicpmv kernels` lists them"}},
    {MCV_TAKES_THREADS, {0, "threads", "N", "threads (default: one per processor)"}},
    {0, {0, "json", NULL, "print JSON"}},
    {0, {0, "quiet", NULL, "no progress and no remarks"}},
    {0, {'h', "help", NULL, "print this help"}},
};
enum { NUM_COMMON = sizeof COMMON_OPTIONS / sizeof *COMMON_OPTIONS };

/* The command's own options and the common ones, as getopt_long wants them. Option i of `options` has the code
 * FIRST_CODE + i. */
typedef struct option_table {
    const mcv_option *options[MAX_OPTIONS];
    int count;
    struct option long_options[MAX_OPTIONS + 1];
    char letters[2 * MAX_OPTIONS + 3];
} option_table;

static const mcv_option *find_option(const mcv_option *options, const char *name) {
    for (; options && options->name; options++)
        if (strcmp(options->name, name) == 0)
            return options;
    return NULL;
}

/* Whether a command has a use for it. */
static bool has_use(const mcv_command *command, const common_option *common) {
    return !common->takes || (command->takes & common->takes);
}

/* Whether it is the common one, and none of the command's own by that name. */
static bool is_common(const mcv_command *command, const common_option *common) {
    return !find_option(command->options, common->option.name);
}

static void add_option(option_table *table, const mcv_option *option) {
    int takes_value = option->argument ? required_argument : no_argument;
    if (table->count == MAX_OPTIONS)
        return;
    table->long_options[table->count] = (struct option){option->name, takes_value, NULL, FIRST_CODE + table->count};
    table->options[table->count++] = option;
    if (option->letter) {
        char spelled[] = {option->letter, option->argument ? ':' : 0, 0};
        strcat(table->letters, spelled);
    }
}

static option_table table_of(const mcv_command *command) {
    option_table table = {.letters = ":"}; /* ':' first: tell a missing value from an unknown option */
    for (const mcv_option *option = command->options; option && option->name; option++)
        add_option(&table, option);
    for (int i = 0; i < NUM_COMMON; i++)
        if (is_common(command, &COMMON_OPTIONS[i]))
            add_option(&table, &COMMON_OPTIONS[i].option);
    return table;
}

static const mcv_option *option_of_code(const option_table *table, int code) {
    if (code >= FIRST_CODE && code < FIRST_CODE + table->count)
        return table->options[code - FIRST_CODE];
    for (int i = 0; i < table->count; i++)
        if (table->options[i]->letter && table->options[i]->letter == code)
            return table->options[i];
    return NULL;
}

/* Explains what getopt_long could not take: `code` is what it returned. */
static mcv_status refuse_option(const option_table *table, int code, char **argv) {
    const mcv_option *option = option_of_code(table, optopt);
    if (option && code == ':')
        return MCV_FAIL(MCV_USAGE, "--%s needs a value (%s)", option->name, option->argument);
    if (option)
        return MCV_FAIL(MCV_USAGE, "--%s takes no value", option->name);
    if (optopt)
        return MCV_FAIL(MCV_USAGE, "unknown option -%c", optopt);
    return MCV_FAIL(MCV_USAGE, "unknown or ambiguous option %s", argv[optind - 1]);
}

static bool is_one_of(const char *text, const char *const *names) {
    for (; *names; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

/* Names only: whether an engine can do what is asked for is seen where a model is opened. */
static mcv_status check_name(const mcv_arguments *arguments, const char *name, const char *const *names,
                             const char *expected) {
    const char *value = mcv_option_value(arguments, name);
    if (!value || is_one_of(value, names))
        return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "--%s %s: expected %s", name, value, expected);
}

static mcv_status check_names(const mcv_arguments *arguments) {
    static const char *const ENGINES[] = {"ref", "fast", NULL}, *const DTYPES[] = {"f32",  "bf16",   "int8",
                                                                                   "int4", "stored", NULL};
    MCV_TRY(check_name(arguments, "engine", ENGINES, "ref or fast"));
    if (find_option(arguments->command->options, "dtype")) /* the command reads its own */
        return MCV_OK;
    return check_name(arguments, "dtype", DTYPES, "f32, bf16, int8, int4 or stored");
}

/* Scripts give every command the same options: one that changes nothing is no error, but it is told. */
static void tell_useless(const mcv_arguments *arguments) {
    const mcv_command *command = arguments->command;
    for (int i = 0; i < NUM_COMMON && !arguments->quiet; i++) {
        const common_option *common = &COMMON_OPTIONS[i];
        if (is_common(command, common) && !has_use(command, common) && mcv_option_count(arguments, common->option.name))
            mcv_log_remark("--%s changes nothing in %s", common->option.name, command->name);
    }
}

static mcv_status read_common_options(mcv_arguments *arguments) {
    arguments->json = mcv_option_count(arguments, "json") > 0;
    arguments->quiet = mcv_option_count(arguments, "quiet") > 0;
    tell_useless(arguments);
    MCV_TRY(check_names(arguments));
    if (find_option(arguments->command->options, "threads"))
        return MCV_OK; /* the command reads its own */
    return mcv_option_int(arguments, "threads", 1, MAX_THREADS, &arguments->threads);
}

static mcv_status check_operands(const mcv_arguments *arguments) {
    const mcv_command *command = arguments->command;
    int given = arguments->num_operands;
    if (given < command->min_operands)
        return MCV_FAIL(MCV_USAGE, "expected %s, found %d operand%s", command->operands, given, given == 1 ? "" : "s");
    if (command->max_operands != MCV_ANY_NUMBER && given > command->max_operands)
        return MCV_FAIL(MCV_USAGE, "unexpected operand '%s'", arguments->operands[command->max_operands]);
    return MCV_OK;
}

mcv_status mcv_arguments_parse(const mcv_command *command, int argc, char **argv, mcv_arguments *arguments) {
    *arguments = (mcv_arguments){.command = command};
    option_table table = table_of(command);
    MCV_TRY(MCV_NEW(&arguments->given, (size_t)argc)); /* no more options than words */
    opterr = 0;
    optind = 1;
    int code;
    while ((code = getopt_long(argc, argv, table.letters, table.long_options, NULL)) != -1) {
        const mcv_option *option = option_of_code(&table, code);
        if (code == '?' || code == ':' || !option)
            return refuse_option(&table, code, argv);
        if (strcmp(option->name, "help") == 0) {
            arguments->help = true;
            return MCV_OK;
        }
        arguments->given[arguments->num_given++] = (mcv_given_option){option->name, option->argument ? optarg : NULL};
    }
    arguments->operands = argv + optind;
    arguments->num_operands = argc - optind;
    MCV_TRY(check_operands(arguments));
    return read_common_options(arguments);
}

void mcv_arguments_free(mcv_arguments *arguments) {
    free(arguments->given);
    *arguments = (mcv_arguments){0};
}

int mcv_option_count(const mcv_arguments *arguments, const char *name) {
    int count = 0;
    for (int i = 0; i < arguments->num_given; i++)
        count += strcmp(arguments->given[i].name, name) == 0;
    return count;
}

const char *mcv_option_value(const mcv_arguments *arguments, const char *name) {
    for (int i = arguments->num_given - 1; i >= 0; i--)
        if (strcmp(arguments->given[i].name, name) == 0)
            return arguments->given[i].value;
    return NULL;
}

const char *mcv_option_or(const mcv_arguments *arguments, const char *name, const char *otherwise) {
    const char *value = mcv_option_value(arguments, name);
    return value ? value : otherwise;
}

mcv_status mcv_option_required(const mcv_arguments *arguments, const char *name, const char **value) {
    *value = mcv_option_value(arguments, name);
    return *value ? MCV_OK : MCV_FAIL(MCV_USAGE, "--%s is needed", name);
}

mcv_status mcv_option_int(const mcv_arguments *arguments, const char *name, int min, int max, int *value) {
    const char *text = mcv_option_value(arguments, name);
    if (!text)
        return MCV_OK;
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < min || number > max)
        return MCV_FAIL(MCV_USAGE, "--%s %s: expected a whole number from %d to %d", name, text, min, max);
    *value = (int)number;
    return MCV_OK;
}

mcv_status mcv_option_double(const mcv_arguments *arguments, const char *name, double min, double max, double *value) {
    const char *text = mcv_option_value(arguments, name);
    if (!text)
        return MCV_OK;
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !(number >= min && number <= max))
        return MCV_FAIL(MCV_USAGE, "--%s %s: expected a number from %g to %g", name, text, min, max);
    *value = number;
    return MCV_OK;
}

static void print_option(const mcv_option *option) {
    char letter[] = "-x, ";
    letter[1] = option->letter;
    int width = printf("  %s--%s%s%s", option->letter ? letter : "    ", option->name, option->argument ? " " : "",
                       option->argument ? option->argument : "");
    printf("%*s%s\n", width < 31 ? 31 - width : 2, "", option->help);
}

void mcv_command_print_help(const mcv_command *command) {
    printf("usage: minicpmv %s [options]%s%s\n\n%s", command->name, command->operands[0] ? " " : "", command->operands,
           command->details);
    if (command->options) {
        printf("\noptions:\n");
        for (const mcv_option *option = command->options; option->name; option++)
            print_option(option);
    }
    printf("\ncommon options:\n");
    for (int i = 0; i < NUM_COMMON; i++)
        if (is_common(command, &COMMON_OPTIONS[i]) && has_use(command, &COMMON_OPTIONS[i]))
            print_option(&COMMON_OPTIONS[i].option);
}
