/* From generated ids to the answer's text, piece by piece: what _decode_text makes of the whole sequence. */
#ifndef MCV_REF_ANSWER_TEXT_H
#define MCV_REF_ANSWER_TEXT_H

#include "ref/tokenization_qwen2.h"

typedef struct AnswerText {
    TextStreamer streamer;
    const int32_t *terminators;
    int num_terminators;
    bool keep_zero;         /* id 0 is text, and nothing follows a terminator */
    bool any_ids;           /* an id other than 0 has come */
    bool any_text;          /* something other than white space has come */
    int32_t held;           /* a terminator that may be the last id; -1: none */
    mcv_buffer white_space; /* may be the end, which is stripped */
} AnswerText;

AnswerText AnswerText_begin(const Qwen2Tokenizer *tokenizer, const int32_t *terminators, int num_terminators,
                            bool keep_zero);
/* Appends to `text` what this id settles. */
mcv_status AnswerText_put(AnswerText *self, int32_t id, mcv_buffer *text);
/* Appends what is left and releases the state's memory. */
mcv_status AnswerText_end(AnswerText *self, mcv_buffer *text);
void AnswerText_free(AnswerText *self);

#endif
