#include "ref/answer_text.h"

#include <string.h>

AnswerText AnswerText_begin(const Qwen2Tokenizer *tokenizer, const int32_t *terminators, int num_terminators,
                            bool keep_zero) {
    return (AnswerText){.streamer = {.tokenizer = tokenizer},
                        .terminators = terminators,
                        .num_terminators = num_terminators,
                        .keep_zero = keep_zero,
                        .held = -1};
}

/* Bytes of the white space character at the front of `text`, 0 where there is none. Python: str.isspace. */
static size_t white_space_size(const char *text, size_t size) {
    const unsigned char *s = (const unsigned char *)text;
    if ((s[0] >= 0x09 && s[0] <= 0x0d) || (s[0] >= 0x1c && s[0] <= 0x20))
        return 1;
    if (size >= 2 && s[0] == 0xc2 && (s[1] == 0x85 || s[1] == 0xa0))
        return 2;
    if (size < 3)
        return 0;
    unsigned code = (unsigned)(s[0] & 0x0f) << 12 | (unsigned)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
    bool three_bytes = s[0] >= 0xe1 && s[0] <= 0xe3;
    bool is_space = code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
                    code == 0x202f || code == 0x205f || code == 0x3000;
    return three_bytes && is_space ? 3 : 0;
}

static size_t character_size(const char *text, size_t size) {
    size_t bytes = 1;
    while (bytes < size && ((unsigned char)text[bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

/* Passes text on without the white space around all of it: at the front it is dropped, elsewhere it waits for text that
 * follows. Python: str.strip. */
static mcv_status strip(AnswerText *self, const mcv_buffer *piece, mcv_buffer *text) {
    for (size_t at = 0; at < piece->size;) {
        const char *character = piece->data + at;
        size_t space = white_space_size(character, piece->size - at);
        size_t bytes = space ? space : character_size(character, piece->size - at);
        if (space && self->any_text) {
            MCV_TRY(mcv_buffer_append(&self->white_space, character, bytes));
        } else if (!space) {
            MCV_TRY(mcv_buffer_append(text, mcv_buffer_text(&self->white_space), self->white_space.size));
            self->white_space.size = 0;
            MCV_TRY(mcv_buffer_append(text, character, bytes));
            self->any_text = true;
        }
        at += bytes;
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
