/* minicpmv detokenize: token ids to text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/model_options.h"
#include "core/file.h"
#include "formats/json.h"
#include "ref/python_json.h"
#include "ref/tokenization_qwen2.h"

static const size_t FILE_LIMIT = (size_t)1 << 30;

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    {'f', "file", "FILE", "ids of a file, separated by white space; - for standard input"},
    {0, "jsonl", NULL, "the ids of each line of standard input, a JSON list"},
    {0, "skip-special-tokens", NULL, "leave special tokens out"},
    {0},
};

typedef struct Job {
    Qwen2Tokenizer *tokenizer;
    bool skip_special_tokens, as_json;
} Job;

static mcv_status print_text(const Job *job, const TokenIds *ids) {
    mcv_buffer text = {0}, line = {0};
    mcv_status status = Qwen2Tokenizer_decode(job->tokenizer, ids->data, ids->count, job->skip_special_tokens, &text);
    if (status == MCV_OK && job->as_json)
        status = python_json_dumps_string(mcv_buffer_text(&text), text.size, &line);
    if (status == MCV_OK) {
        const mcv_buffer *printed = job->as_json ? &line : &text;
        fwrite(mcv_buffer_text(printed), 1, printed->size, stdout);
        putchar('\n');
    }
    mcv_buffer_free(&text);
    mcv_buffer_free(&line);
    return status;
}

/* ---- Ids from JSON ------------------------------------------------------------------------------------------- */

static mcv_status append_json_ids(const mcv_json *list, TokenIds *ids) {
    if (!json_is_array(list->value))
        return mcv_json_fail(MCV_BAD_INPUT, list, "a JSON list of ids");
    for (size_t i = 0; i < mcv_json_count(list); i++) {
        mcv_json id = mcv_json_item(list, i);
        json_int_t value = json_integer_value(id.value);
        if (!json_is_integer(id.value) || value < 0 || value > INT32_MAX)
            return mcv_json_fail(MCV_BAD_INPUT, &id, "an id from 0 to 2147483647");
        MCV_TRY(TokenIds_append(ids, (int32_t)value));
    }
    return MCV_OK;
}

static mcv_status print_line(void *context, json_t *value) {
    char name[] = "ids";
    mcv_json list = {.file = name, .value = value};
    TokenIds ids = {0};
    mcv_status status = append_json_ids(&list, &ids);
    if (status == MCV_OK)
        status = print_text(context, &ids);
    TokenIds_free(&ids);
    return status;
}

/* ---- Ids from text ------------------------------------------------------------------------------------------- */

static mcv_status append_id(const char *word, mcv_status failure, TokenIds *ids) {
    char *end;
    errno = 0;
    long value = strtol(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end || errno || value > INT32_MAX)
        return MCV_FAIL(failure, "expected an id from 0 to %d, found '%s'", INT32_MAX, word);
    return TokenIds_append(ids, (int32_t)value);
}

static mcv_status append_file_ids(const char *path, TokenIds *ids) {
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(path, FILE_LIMIT, &text);
    char *rest = NULL;
    if (status == MCV_OK && strlen(mcv_buffer_text(&text)) != text.size)
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: expected ids, found a byte 0", mcv_file_name(path),
                          strlen(mcv_buffer_text(&text)));
    for (char *word = text.data ? strtok_r(text.data, " \t\r\n", &rest) : NULL; word && status == MCV_OK;
         word = strtok_r(NULL, " \t\r\n", &rest)) {
        status = append_id(word, MCV_BAD_INPUT, ids);
        if (status != MCV_OK)
            status = mcv_fail_context(status, "%s: byte %td", mcv_file_name(path), word - text.data);
    }
    mcv_buffer_free(&text);
    return status;
}

static mcv_status print_given(const Job *job, const mcv_arguments *arguments) {
    const char *path = mcv_option_value(arguments, "file");
    TokenIds ids = {0};
    mcv_status status = path ? append_file_ids(path, &ids) : MCV_OK;
    for (int i = 0; i < arguments->num_operands && status == MCV_OK; i++)
        status = append_id(arguments->operands[i], MCV_USAGE, &ids);
    if (status == MCV_OK)
        status = print_text(job, &ids);
    TokenIds_free(&ids);
    return status;
}

/* ---- The command --------------------------------------------------------------------------------------------- */

static mcv_status run(const mcv_arguments *arguments) {
    ModelFiles files;
    MCV_TRY(mcv_model_options_require(arguments, &files));
    bool has_lines = mcv_option_count(arguments, "jsonl") > 0;
    int sources = (arguments->num_operands > 0) + (mcv_option_count(arguments, "file") > 0) + has_lines;
    if (sources != 1)
        return MCV_FAIL(MCV_USAGE, "expected one of ID, --file and --jsonl, found %d of them", sources);
    Job job = {.skip_special_tokens = mcv_option_count(arguments, "skip-special-tokens") > 0,
               .as_json = arguments->json || has_lines};
    MCV_TRY(ModelFiles_tokenizer(&files, &job.tokenizer));
    mcv_status status = has_lines ? mcv_json_read_lines(print_line, &job) : print_given(&job, arguments);
    Qwen2Tokenizer_free(job.tokenizer);
    return status;
}

const mcv_command mcv_detokenize_command = {
    .name = "detokenize",
    .summary = "token ids to text",
    .operands = "ID...",
    .min_operands = 0,
    .max_operands = MCV_ANY_NUMBER,
    .details = "Prints the text of the ids and a line break; with --json and --jsonl a JSON string. Ids that no token "
               "has add\n"
               "nothing, bytes that are no UTF-8 become U+FFFD.\n",
    .options = OPTIONS,
    .run = run,
};
