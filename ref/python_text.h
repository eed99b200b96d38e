/* What Python's str methods make of UTF-8 text. */
#ifndef MCV_REF_PYTHON_TEXT_H
#define MCV_REF_PYTHON_TEXT_H

#include <stddef.h>

/* A piece of a longer text. */
typedef struct PythonText {
    const char *data;
    size_t size; /* in bytes */
} PythonText;

/* Bytes of the first character, 1 where the text is not valid there. Of no empty text. */
size_t python_character_size(PythonText text);

/* The same for a white space character, 0 for any other. Python: str.isspace. */
size_t python_space_size(PythonText text);

/* Without the white space around it. Python: str.strip. */
PythonText python_strip(PythonText text);

/* The text from its byte `at` on. */
PythonText python_from(PythonText text, size_t at);

#endif
