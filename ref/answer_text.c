#include "ref/answer_text.h"

#include "ref/python_text.h"

AnswerText AnswerText_begin(const Qwen2Tokenizer *tokenizer, const int32_t *terminators, int num_terminators,
                            bool keep_zero) {
    return (AnswerText){.streamer = {.tokenizer = tokenizer},
                        .terminators = terminators,
                        .num_terminators = num_terminators,
                        .keep_zero = keep_zero,
                        .held = -1};
}

/* Passes text on without the white space around all of it: at the front it is dropped, elsewhere it waits for text that
 * follows. Python: str.strip. */
static mcv_status strip(AnswerText *self, const mcv_buffer *piece, mcv_buffer *text) {
    for (PythonText rest = {piece->data, piece->size}; rest.size > 0;) {
        size_t space = python_space_size(rest);
        size_t bytes = space ? space : python_character_size(rest);
        if (space && self->any_text) {
            MCV_TRY(mcv_buffer_append(&self->white_space, rest.data, bytes));
        } else if (!space) {
            MCV_TRY(mcv_buffer_append(text, mcv_buffer_text(&self->white_space), self->white_space.size));
            self->white_space.size = 0;
            MCV_TRY(mcv_buffer_append(text, rest.data, bytes));
            self->any_text = true;
        }
        rest = python_from(rest, bytes);
    }
    return MCV_OK;
}

static mcv_status decode(AnswerText *self, int32_t id, mcv_buffer *text) {
    mcv_buffer piece = {0};
    mcv_status status = TextStreamer_put(&self->streamer, id, &piece);
    if (status == MCV_OK)
        status = strip(self, &piece, text);
    mcv_buffer_free(&piece);
    return status;
}

static bool is_terminator(const AnswerText *self, int32_t id) {
    for (int i = 0; i < self->num_terminators; i++)
        if (self->terminators[i] == id)
            return true;
    return false;
}

mcv_status AnswerText_put(AnswerText *self, int32_t id, mcv_buffer *text) {
    if (self->keep_zero ? self->held >= 0 : id == 0)
        return MCV_OK;
    bool first = !self->any_ids;
    self->any_ids = true;
    if (first && id == Qwen2Tokenizer_bos_id(self->streamer.tokenizer))
        return MCV_OK;
    if (self->held >= 0) {
        MCV_TRY(decode(self, self->held, text));
        self->held = -1;
    }
    if (is_terminator(self, id)) {
        self->held = id;
        return MCV_OK;
    }
    return decode(self, id, text);
}

mcv_status AnswerText_end(AnswerText *self, mcv_buffer *text) {
    mcv_buffer piece = {0};
    mcv_status status = TextStreamer_end(&self->streamer, &piece);
    if (status == MCV_OK)
        status = strip(self, &piece, text);
    mcv_buffer_free(&piece);
    AnswerText_free(self);
    return status;
}

void AnswerText_free(AnswerText *self) {
    mcv_buffer_free(&self->streamer.pending);
    mcv_buffer_free(&self->white_space);
}
