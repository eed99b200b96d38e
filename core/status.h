/* Errors: a status to return and a message for people.
 *
 *     if (header_size > file_size)
 *         return MCV_FAIL(MCV_BAD_INPUT, "%s: header of %zu bytes in a file of %zu", path, header_size, file_size);
 *     MCV_TRY(mcv_file_map(path, &map));
 *
 * A message names the file, the tensor or byte offset, what was expected and what was found. */
#ifndef MCV_CORE_STATUS_H
#define MCV_CORE_STATUS_H

#include "include/minicpmv.h"

#define MCV_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

/* Records the message for mcv_error_message() and returns `status`. Use MCV_FAIL. */
mcv_status mcv_fail(mcv_status status, const char *source_file, int source_line, const char *format, ...)
    MCV_PRINTF(4, 5);

/* Puts words in front of the message that is already recorded ("model.safetensors: ...") and returns `status`. */
mcv_status mcv_fail_context(mcv_status status, const char *format, ...) MCV_PRINTF(2, 3);

/* Where in our source the newest failure of this thread arose, as "file.c:12". */
const char *mcv_error_source(void);

/* The program's exit code for a status. */
int mcv_exit_code(mcv_status status);

/* The comma lets the compiler see which status it is, so that it does not take results for used when there are none. */
#define MCV_FAIL(status, ...) (mcv_fail((status), __FILE__, __LINE__, __VA_ARGS__), (status))
#define MCV_FAIL_MEMORY(bytes) MCV_FAIL(MCV_NO_MEMORY, "out of memory (%zu bytes asked for)", (size_t)(bytes))

/* Returns from the calling function when `call` fails. */
#define MCV_TRY(call)                                                                                                  \
    do {                                                                                                               \
        mcv_status try_status_ = (call);                                                                               \
        if (try_status_ != MCV_OK)                                                                                     \
            return try_status_;                                                                                        \
    } while (0)

/* Jumps to `label` when `call` fails; `status` is a variable of the calling function. */
#define MCV_TRY_GOTO(status, label, call)                                                                              \
    do {                                                                                                               \
        (status) = (call);                                                                                             \
        if ((status) != MCV_OK)                                                                                        \
            goto label;                                                                                                \
    } while (0)

#endif
