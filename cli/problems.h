/* What an inspection has found amiss: a JSON list of strings. */
#ifndef MCV_CLI_PROBLEMS_H
#define MCV_CLI_PROBLEMS_H

#include <jansson.h>

#include "core/status.h"
#include "ref/tokenization_qwen2.h"

/* The same thing is listed once. A text beyond 1023 bytes is cut between characters; bytes that are no UTF-8 become
 * U+FFFD. */
mcv_status mcv_problems_add(json_t *problems, const char *format, ...) MCV_PRINTF(2, 3);

/* Lists the newest message where `status` is a failure. What cannot be allocated is no problem of a file: returned. */
mcv_status mcv_problems_note(json_t *problems, mcv_status status);

/* Whether the merges of a tokenizer, which `from` names, go with its vocabulary. */
mcv_status mcv_problems_of_merges(json_t *problems, const char *from, const Qwen2Tokenizer *tokenizer);

/* MCV_OK without problems, else MCV_BAD_INPUT with their number and the first of them. */
mcv_status mcv_problems_status(const char *path, const json_t *problems);

#endif
