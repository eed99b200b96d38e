/* Expectations: fixtures/tokenizer/tiny.json and public.json, computed by transformers. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "core/file.h"
#include "ref/qwen2_split.h"
#include "ref/tokenization_qwen2.h"
#include "ref/utf8.h"
#include "tests/temporary.h"

static const char FIXTURES[] = "tests/fixtures/tokenizer";
static const char TINY[] = "tests/fixtures/tokenizer/model";
static const char TINY_FAST[] = "tests/fixtures/tokenizer/model-fast";
static const char PUBLIC[] = "../shared/minicpm-v-4.5";

static Qwen2Tokenizer *load(const char *folder) {
    Qwen2Tokenizer *tokenizer;
    cr_assert_eq(Qwen2Tokenizer_from_pretrained(&tokenizer, folder), MCV_OK, "%s", mcv_error_message());
    return tokenizer;
}

static json_t *load_fixture(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", FIXTURES, name);
    json_error_t error;
    json_t *fixture = json_load_file(path, JSON_ALLOW_NUL, &error);
    cr_assert(fixture, "%s: %s", path, error.text);
    return fixture;
}

static json_int_t integer(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static TokenIds ids_of(const json_t *list) {
    TokenIds ids = {0};
    for (size_t i = 0; i < json_array_size(list); i++)
        cr_assert_eq(TokenIds_append(&ids, (int32_t)json_integer_value(json_array_get(list, i))), MCV_OK);
    return ids;
}

static bool equal_ids(const TokenIds *a, const TokenIds *b) {
    return a->count == b->count && (a->count == 0 || memcmp(a->data, b->data, a->count * sizeof *a->data) == 0);
}

static bool equal_text(const mcv_buffer *text, const json_t *expected) {
    return text->size == json_string_length(expected) &&
           memcmp(mcv_buffer_text(text), json_string_value(expected), text->size) == 0;
}

/* ---- Against transformers ------------------------------------------------------------------------------------ */

static void expect_encoded(const Qwen2Tokenizer *tokenizer, const json_t *cases) {
    size_t index;
    json_t *item;
    json_array_foreach(cases, index, item) {
        const json_t *text = json_object_get(item, "text");
        TokenIds expected = ids_of(json_object_get(item, "ids")), found = {0};
        cr_assert_eq(Qwen2Tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text), &found),
                     MCV_OK, "%s", mcv_error_message());
        cr_expect(equal_ids(&expected, &found), "text %zu: \"%s\"", index, json_string_value(text));
        TokenIds_free(&expected);
        TokenIds_free(&found);
    }
    cr_expect_gt(index, 100);
}

static bool is_whole(const char *text, size_t size) {
    size_t offset;
    return utf8_valid(text, size, &offset);
}

/* Each piece ends with a whole character, and all of them are the text. */
static void expect_streamed(const Qwen2Tokenizer *tokenizer, const TokenIds *ids, const json_t *expected) {
    TextStreamer streamer = {.tokenizer = tokenizer};
    mcv_buffer text = {0};
    for (size_t i = 0; i < ids->count; i++) {
        size_t before = text.size;
        cr_assert_eq(TextStreamer_put(&streamer, ids->data[i], &text), MCV_OK);
        cr_expect(is_whole(mcv_buffer_text(&text) + before, text.size - before));
        cr_expect(before <= text.size);
    }
    cr_assert_eq(TextStreamer_end(&streamer, &text), MCV_OK);
    cr_expect(equal_text(&text, expected));
    mcv_buffer_free(&text);
}

static void expect_decoded(const Qwen2Tokenizer *tokenizer, const json_t *cases) {
    size_t index;
    json_t *item;
    json_array_foreach(cases, index, item) {
        TokenIds ids = ids_of(json_object_get(item, "ids"));
        mcv_buffer text = {0}, skipped = {0};
        cr_assert_eq(Qwen2Tokenizer_decode(tokenizer, ids.data, ids.count, false, &text), MCV_OK);
        cr_assert_eq(Qwen2Tokenizer_decode(tokenizer, ids.data, ids.count, true, &skipped), MCV_OK);
        cr_expect(equal_text(&text, json_object_get(item, "text")), "ids %zu", index);
        cr_expect(equal_text(&skipped, json_object_get(item, "skipped")), "ids %zu", index);
        expect_streamed(tokenizer, &ids, json_object_get(item, "text"));
        mcv_buffer_free(&text);
        mcv_buffer_free(&skipped);
        TokenIds_free(&ids);
    }
    cr_expect_gt(index, 100);
}

static void expect_fixture(const char *folder, const char *name) {
    json_t *fixture = load_fixture(name);
    Qwen2Tokenizer *tokenizer = load(folder);
    cr_expect_eq(Qwen2Tokenizer_size(tokenizer), integer(fixture, "size"));
    cr_expect_eq(Qwen2Tokenizer_bos_id(tokenizer), integer(fixture, "bos"));
    cr_expect_eq(Qwen2Tokenizer_eos_id(tokenizer), integer(fixture, "eos"));
    cr_expect_eq(Qwen2Tokenizer_unk_id(tokenizer), integer(fixture, "unk"));
    expect_encoded(tokenizer, json_object_get(fixture, "encode"));
    expect_decoded(tokenizer, json_object_get(fixture, "decode"));
    Qwen2Tokenizer_free(tokenizer);
    json_decref(fixture);
}

Test(tokenizer, tiny_vocabulary) {
    expect_fixture(TINY, "tiny.json");
}

Test(tokenizer, tiny_vocabulary_in_one_file) {
    expect_fixture(TINY_FAST, "tiny.json");
}

Test(tokenizer, public_vocabulary) {
    if (!mcv_file_exists(PUBLIC))
        cr_skip_test("../shared/minicpm-v-4.5 is not there");
    expect_fixture(PUBLIC, "public.json");
}

/* ---- Single facts -------------------------------------------------------------------------------------------- */

Test(tokenizer, tokens_and_ids) {
    Qwen2Tokenizer *tokenizer = load(TINY);
    int32_t image = Qwen2Tokenizer_token_to_id(tokenizer, "<image>");
    cr_expect_geq(image, 0);
    cr_expect_str_eq(Qwen2Tokenizer_id_to_token(tokenizer, image), "<image>");
    cr_expect_eq(Qwen2Tokenizer_token_to_id(tokenizer, "no such token"), -1);
    cr_expect_null(Qwen2Tokenizer_id_to_token(tokenizer, -1));
    cr_expect_null(Qwen2Tokenizer_id_to_token(tokenizer, Qwen2Tokenizer_size(tokenizer)));
    for (int32_t id = 0; id < Qwen2Tokenizer_size(tokenizer); id++)
        cr_expect_eq(Qwen2Tokenizer_token_to_id(tokenizer, Qwen2Tokenizer_id_to_token(tokenizer, id)), id);
    Qwen2Tokenizer_free(tokenizer);
}

Test(tokenizer, invalid_text_is_refused_with_its_place) {
    Qwen2Tokenizer *tokenizer = load(TINY);
    TokenIds ids = {0};
    cr_expect_eq(Qwen2Tokenizer_encode(tokenizer, "abc\xE4\xB8", 5, &ids), MCV_BAD_INPUT);
    cr_expect_str_eq(mcv_error_message(), "text: byte 3: expected UTF-8, found byte 0xE4");
    cr_expect_eq(ids.count, 0);
    Qwen2Tokenizer_free(tokenizer);
}

Test(tokenizer, ids_of_no_token_add_nothing) {
    Qwen2Tokenizer *tokenizer = load(TINY);
    const int32_t ids[] = {-1, INT32_MIN, INT32_MAX, Qwen2Tokenizer_size(tokenizer)};
    mcv_buffer text = {0};
    cr_assert_eq(Qwen2Tokenizer_decode(tokenizer, ids, 4, false, &text), MCV_OK);
    cr_expect_eq(text.size, 0);
    mcv_buffer_free(&text);
    Qwen2Tokenizer_free(tokenizer);
}

/* A word of a million bytes, which an algorithm of quadratic time would take hours for; what it becomes decodes to the
 * same. */
static void expect_round_trip(const char *unit) {
    Qwen2Tokenizer *tokenizer = load(TINY);
    mcv_buffer text = {0}, decoded = {0};
    TokenIds ids = {0};
    while (text.size < 1000000)
        cr_assert_eq(mcv_buffer_append_string(&text, unit), MCV_OK);
    cr_assert_eq(Qwen2Tokenizer_encode(tokenizer, text.data, text.size, &ids), MCV_OK);
    cr_assert_eq(Qwen2Tokenizer_decode(tokenizer, ids.data, ids.count, false, &decoded), MCV_OK);
    cr_expect(decoded.size == text.size && memcmp(decoded.data, text.data, text.size) == 0);
    mcv_buffer_free(&text);
    mcv_buffer_free(&decoded);
    TokenIds_free(&ids);
    Qwen2Tokenizer_free(tokenizer);
}

Test(tokenizer, long_words) {
    expect_round_trip("a");
    expect_round_trip("the");
    expect_round_trip(" ");
    expect_round_trip("\n ");
    expect_round_trip("<");
    expect_round_trip("<image>");
}

/* ---- The split pattern --------------------------------------------------------------------------------------- */

/* Words are told apart by '|'. */
static void expect_split(const char *text, const char *expected) {
    char found[256] = "";
    size_t size = strlen(text), used = 0;
    for (size_t start = 0, end; start < size; start = end) {
        end = qwen2_split(text, size, start);
        cr_assert_gt(end, start);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%.*s", start ? "|" : "", (int)(end - start),
                                 text + start);
    }
    cr_expect_str_eq(found, expected);
}

Test(split, alternatives_in_their_order) {
    expect_split("we'll they'RE it'\xC5\xBF 'tis", "we|'ll| they|'RE| it|'\xC5\xBF| '|tis");
    expect_split("'lx 'r 'v", "'lx| '|r| '|v");
    expect_split("!word ?? \xCC\x81z", "!word| ??| \xCC\x81|z");
    expect_split("x12 3", "x|1|2| |3");
    expect_split("a ...\r\n\nb", "a| ...\r\n\n|b");
}

Test(split, white_space) {
    expect_split("a   b", "a|  | b");
    expect_split("a   ", "a|   ");
    expect_split("a \n  \n  b", "a| \n  \n| | b");
    expect_split("\t1 \t!", "\t|1| |\t|!");
    expect_split("\r\rx", "\r\r|x");
}

/* ---- Damaged files ------------------------------------------------------------------------------------------- */

static void read_file(const char *folder, const char *name, mcv_buffer *text) {
    char *path;
    cr_assert_eq(mcv_path_join(&path, folder, name), MCV_OK);
    cr_assert_eq(mcv_file_read(path, 1 << 20, text), MCV_OK);
    free(path);
}

static const char *const FILES[] = {"vocab.json", "merges.txt", "tokenizer_config.json"};
enum { NUM_FILES = 3 };

/* A copy of the tiny tokenizer in the test's folder. */
static void copy_model(void) {
    for (int i = 0; i < NUM_FILES; i++) {
        mcv_buffer text = {0};
        read_file(TINY, FILES[i], &text);
        temporary_file(FILES[i], text.data, text.size);
        mcv_buffer_free(&text);
    }
}

/* Puts `with` in the place of `what` in a file of the copy. */
static void replace(const char *name, const char *what, const char *with) {
    mcv_buffer text = {0}, changed = {0};
    read_file(temporary_folder(), name, &text);
    const char *place = strstr(text.data, what);
    cr_assert(place, "\"%s\" is not in %s", what, name);
    cr_assert_eq(mcv_buffer_append(&changed, text.data, (size_t)(place - text.data)), MCV_OK);
    cr_assert_eq(mcv_buffer_append_string(&changed, with), MCV_OK);
    cr_assert_eq(mcv_buffer_append_string(&changed, place + strlen(what)), MCV_OK);
    temporary_file(name, changed.data, changed.size);
    mcv_buffer_free(&text);
    mcv_buffer_free(&changed);
}

static void expect_refused(mcv_status expected, const char *message) {
    Qwen2Tokenizer *tokenizer;
    mcv_status status = Qwen2Tokenizer_from_pretrained(&tokenizer, temporary_folder());
    cr_expect_eq(status, expected, "status %d: %s", status, mcv_error_message());
    cr_expect_null(tokenizer);
    cr_expect(strstr(mcv_error_message(), message), "\"%s\" is not in \"%s\"", message, mcv_error_message());
}

/* One replacement, and what is said of it. */
typedef struct Damage {
    const char *file, *what, *with, *message;
} Damage;

static const Damage DAMAGES[] = {
    {"vocab.json", "\"!\": 0", "\"!\": -1", "vocab.json: token \"!\": expected an id from 0 to"},
    {"vocab.json", "\"!\": 0", "\"!\": 99999999999", "expected an id from 0 to"},
    {"vocab.json", "\"!\": 0", "\"!\": 1", "id 1 is given to two tokens"},
    {"vocab.json", "\"!\": 0", "\"!\": \"0\"", "vocab.json: !: expected an integer"},
    {"vocab.json", "\"!\": 0", "\"!\": 0, \"!\": 0", "not valid JSON: duplicate"},
    {"vocab.json", "\"!\": 0", "\"!!\": 0", "no token for byte 0x21, expected \"!\""},
    {"vocab.json", "{", "[", "not valid JSON"},
    {"merges.txt", "#version: 0.2\n", "#version: 0.2\nno token\n", "merges.txt: line 2: the merge names \"no\""},
    {"merges.txt", "#version: 0.2\n", "! \"\n", "line 1: the merge names \"!\"\", which is no token"},
    {"merges.txt", "#version: 0.2\n", "!\n", "line 1: expected two tokens, found \"!\""},
    {"merges.txt", "#version: 0.2\n", "a b c\n", "line 1: expected two tokens"},
    {"tokenizer_config.json", "\"445\": {", "\"545\": {",
     "expected id 445, which follows from the vocabulary, found 545"},
    {"tokenizer_config.json", "\"421\": {", "\"x421\": {", "expected an id as its key"},
    {"tokenizer_config.json", "\"421\": {", "\"-421\": {", "expected an id as its key"},
    {"tokenizer_config.json", "\"<|endoftext|>\", \"lstrip\": false", "\"<|endoftext|>\", \"lstrip\": 0",
     "added_tokens_decoder.421.lstrip: expected true or false, found 0"},
    {"tokenizer_config.json", "\"content\": \"<|endoftext|>\"", "\"content\": \"\"", "expected the content of a token"},
    {"tokenizer_config.json", "\"bos_token\": \"<|im_start|>\"", "\"bos_token\": 7", "bos_token: expected a token"},
};

Test(damage, is_named) {
    for (size_t i = 0; i < sizeof DAMAGES / sizeof *DAMAGES; i++) {
        copy_model();
        replace(DAMAGES[i].file, DAMAGES[i].what, DAMAGES[i].with);
        expect_refused(MCV_BAD_INPUT, DAMAGES[i].message);
    }
}

Test(damage, repeated_merge) {
    copy_model();
    mcv_buffer merges = {0};
    read_file(TINY, "merges.txt", &merges);
    const char *first = strchr(merges.data, '\n') + 1;
    cr_assert_eq(mcv_buffer_printf(&merges, "%.*s", (int)(strchr(first, '\n') - first), first), MCV_OK);
    temporary_file("merges.txt", merges.data, merges.size);
    expect_refused(MCV_BAD_INPUT, "is there twice");
    mcv_buffer_free(&merges);
}

Test(damage, missing_files) {
    copy_model();
    remove(temporary_path("merges.txt"));
    expect_refused(MCV_BAD_INPUT, "merges.txt: cannot be opened");
    copy_model();
    remove(temporary_path("vocab.json"));
    expect_refused(MCV_BAD_INPUT, "vocab.json: cannot be opened");
}

Test(damage, other_clean_up_is_not_supported) {
    copy_model();
    replace("tokenizer_config.json", "\"clean_up_tokenization_spaces\": false",
            "\"clean_up_tokenization_spaces\": true");
    expect_refused(MCV_UNSUPPORTED, "clean_up_tokenization_spaces: expected false, found true");
}

static const Damage PIPELINES[] = {
    {NULL, "\"type\": \"NFC\"", "\"type\": \"NFKC\"", "normalizer.type: expected \"NFC\", found the string \"NFKC\""},
    {NULL, "\\\\p{N}|", "\\\\p{N}{1,3}|", "pre_tokenizer.pretokenizers[0].pattern.Regex: expected"},
    {NULL, "\"behavior\": \"Isolated\"", "\"behavior\": \"Removed\"", "behavior: expected \"Isolated\""},
    {NULL, "\"add_prefix_space\": false", "\"add_prefix_space\": true", "add_prefix_space: expected false"},
    {NULL, "\"dropout\": null", "\"dropout\": 0.1", "dropout: expected nothing"},
    {NULL, "\"type\": \"BPE\"", "\"type\": \"Unigram\"", "model.type: expected \"BPE\""},
};

Test(damage, other_pipelines_are_not_supported) {
    for (size_t i = 0; i < sizeof PIPELINES / sizeof *PIPELINES; i++) {
        mcv_buffer text = {0};
        read_file(TINY_FAST, "tokenizer.json", &text);
        temporary_file("tokenizer.json", text.data, text.size);
        replace("tokenizer.json", PIPELINES[i].what, PIPELINES[i].with);
        expect_refused(MCV_UNSUPPORTED, PIPELINES[i].message);
        mcv_buffer_free(&text);
    }
}

/* Loads what may be damaged and uses it where it loads all the same. */
static void survive(const char *folder) {
    Qwen2Tokenizer *tokenizer;
    TokenIds ids = {0};
    mcv_buffer text = {0};
    if (Qwen2Tokenizer_from_pretrained(&tokenizer, folder) == MCV_OK) {
        cr_expect_eq(Qwen2Tokenizer_encode(tokenizer, "the <image> fox", 15, &ids), MCV_OK);
        cr_expect_eq(Qwen2Tokenizer_decode(tokenizer, ids.data, ids.count, true, &text), MCV_OK);
    }
    Qwen2Tokenizer_free(tokenizer);
    TokenIds_free(&ids);
    mcv_buffer_free(&text);
}

/* xorshift64 */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void survive_all(const char *folder, const char *name) {
    mcv_buffer original = {0};
    uint64_t state = 45;
    read_file(folder, name, &original);
    for (int i = 0; i < 200; i++) {
        size_t place = next_random(&state) % original.size;
        temporary_file(name, original.data, place);
        survive(temporary_folder());
        char kept = original.data[place];
        original.data[place] = (char)(kept ^ 1 << next_random(&state) % 8);
        temporary_file(name, original.data, original.size);
        survive(temporary_folder());
        original.data[place] = kept;
    }
    temporary_file(name, original.data, original.size);
    mcv_buffer_free(&original);
}

Test(damage, cut_and_flipped_files_do_no_harm) {
    copy_model();
    for (int i = 0; i < NUM_FILES; i++)
        survive_all(TINY, FILES[i]);
    survive_all(TINY_FAST, "tokenizer.json");
}
