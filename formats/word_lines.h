/* Small text files of rules: words with blanks between them, a rule a line, '#' at the start of a word before remarks.
 */
#ifndef MCV_FORMATS_WORD_LINES_H
#define MCV_FORMATS_WORD_LINES_H

#include "core/memory.h"

enum { MCV_MOST_WORDS = 16 };

/* Takes the words of a line that has any. */
typedef mcv_status mcv_words_fn(void *context, char *const *words, int count);

/* Calls `take` for each line. What it fails with is told with file and line in front. MCV_BAD_INPUT: no text, more than
 * MCV_MOST_WORDS words in a line, or no rule at all. "-" is standard input. */
mcv_status mcv_word_lines_read_file(const char *path, mcv_words_fn *take, void *context);
/* The same for a text; `name` stands for the file in messages. */
mcv_status mcv_word_lines_read(const char *text, size_t size, const char *name, mcv_words_fn *take, void *context);

#endif
