#include <criterion/criterion.h>
#include <math.h>
#include <sys/stat.h>

#include "formats/golden_case.h"
#include "tests/temporary.h"

/* Writes case.json into the temporary folder, beside an image of 1 x 1 pixels, and returns its path. */
static const char *write_case(const char *json) {
    temporary_text("dot.ppm", "P6\n1 1\n255\nabc");
    return temporary_text("case.json", json);
}

static mcv_golden_case load_good(const char *json) {
    mcv_golden_case golden_case;
    cr_assert_eq(mcv_golden_case_load(write_case(json), &golden_case), MCV_OK, "%s", mcv_error_message());
    return golden_case;
}

static void expect_failure(const char *json, const char *words) {
    mcv_golden_case golden_case;
    cr_expect_eq(mcv_golden_case_load(write_case(json), &golden_case), MCV_BAD_INPUT, "%s", json);
    cr_expect(strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words, mcv_error_message());
}

#define HELLO "\"conversations\": [[{\"role\": \"user\", \"content\": \"Hello\"}]]"

Test(golden_case, what_is_left_out_is_the_default) {
    mcv_golden_case c = load_good("{" HELLO ", \"made_by\": \"somebody\"}");
    cr_assert_eq(c.num_conversations, 1);
    cr_assert_eq(c.conversations[0].num_messages, 1);
    const mcv_message *message = &c.conversations[0].messages[0];
    cr_expect_str_eq(message->role, "user");
    cr_assert_eq(message->num_parts, 1);
    cr_expect_str_eq(message->parts[0].text, "Hello");
    cr_expect_null(message->parts[0].image);
    cr_expect_null(c.conversations[0].temporal_ids);
    cr_expect_null(c.model);
    cr_expect_null(c.exact_path);
    cr_expect_null(c.prompt_options.system_prompt);
    cr_expect_eq(c.prompt_options.max_slice_nums, 0);
    cr_expect_eq(c.prompt_options.use_image_id, -1);
    cr_expect_eq(c.prompt_options.enable_thinking, 0);
    cr_expect_eq(c.prompt_options.max_inp_length, 16384);
    cr_expect_eq(c.num_decodings, 0);
    mcv_golden_case_free(&c);
}

Test(golden_case, everything_that_can_be_set) {
    mcv_golden_case c = load_good(
        "{\"conversations\": [[{\"role\": \"user\", \"content\": [{\"type\": \"image\", \"path\": \"dot.ppm\"},"
        "{\"type\": \"text\", \"text\": \"Wh\\u00e4t?\"}]}, {\"role\": \"assistant\", \"content\": []}],"
        "[{\"role\": \"user\", \"content\": \"b\"}]],"
        "\"model\": \"../model\", \"system_prompt\": \"Be brief.\", \"max_slice_nums\": 2, \"use_image_id\": false,"
        "\"temporal_ids\": [[[0, 5], [-1]], []], \"enable_thinking\": true, \"max_inp_length\": 99,"
        "\"generate\": [{\"name\": \"a\"}, {\"name\": \"b\", \"num_beams\": 3, \"repetition_penalty\": 1.5,"
        "\"length_penalty\": 0, \"early_stopping\": \"never\", \"max_new_tokens\": 7, \"min_new_tokens\": 2,"
        "\"do_sample\": false}]}");
    cr_assert_eq(c.num_conversations, 2);
    const mcv_part *parts = c.conversations[0].messages[0].parts;
    cr_assert_eq(c.conversations[0].messages[0].num_parts, 2);
    cr_assert(parts[0].image && !parts[0].text);
    cr_expect(parts[0].image->width == 1 && parts[0].image->height == 1 && memcmp(parts[0].image->rgb, "abc", 3) == 0);
    cr_expect_str_eq(parts[1].text, "Wh\xc3\xa4t?");
    cr_expect_eq(c.conversations[0].messages[1].num_parts, 0);
    const mcv_temporal_ids *ids = c.conversations[0].temporal_ids;
    cr_assert(ids && ids->num_groups == 2 && ids->groups[0].count == 2 && ids->groups[1].count == 1);
    cr_expect(ids->groups[0].temporal_ids[1] == 5 && ids->groups[1].temporal_ids[0] == -1);
    cr_assert(c.conversations[1].temporal_ids && c.conversations[1].temporal_ids->num_groups == 0);
    char model[256];
    snprintf(model, sizeof model, "%s/../model", temporary_folder());
    cr_expect_str_eq(c.model, model);
    cr_expect_str_eq(c.prompt_options.system_prompt, "Be brief.");
    cr_expect_eq(c.prompt_options.max_slice_nums, 2);
    cr_expect_eq(c.prompt_options.use_image_id, 0);
    cr_expect_eq(c.prompt_options.enable_thinking, 1);
    cr_expect_eq(c.prompt_options.max_inp_length, 99);
    cr_assert_eq(c.num_decodings, 2);
    const mcv_case_decoding *a = &c.decodings[0], *b = &c.decodings[1];
    cr_expect(strcmp(a->name, "a") == 0 && a->num_beams == -1 && a->max_new_tokens == -1 && a->early_stopping == -1);
    cr_expect(isnan(a->repetition_penalty) && isnan(a->length_penalty));
    cr_expect(b->num_beams == 3 && b->repetition_penalty == 1.5 && b->length_penalty == 0 && b->early_stopping == 2);
    cr_expect(b->max_new_tokens == 7 && b->min_new_tokens == 2);
    mcv_golden_case_free(&c);
}

Test(golden_case, temporal_ids_of_a_single_conversation_may_lack_the_outer_list) {
    mcv_golden_case c = load_good("{" HELLO ", \"temporal_ids\": [[0, 1], [2]]}");
    const mcv_temporal_ids *ids = c.conversations[0].temporal_ids;
    cr_assert(ids && ids->num_groups == 2 && ids->groups[0].count == 2);
    cr_expect(ids->groups[1].count == 1 && ids->groups[1].temporal_ids[0] == 2);
    mcv_golden_case_free(&c);
}

Test(golden_case, a_folder_is_as_good_as_its_file) {
    mcv_golden_case from_folder, from_file;
    const char *file = write_case("{" HELLO "}");
    cr_assert_eq(mcv_golden_case_load(temporary_folder(), &from_folder), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_golden_case_load(file, &from_file), MCV_OK, "%s", mcv_error_message());
    cr_expect_str_eq(from_folder.name, strrchr(temporary_folder(), '/') + 1);
    cr_expect_str_eq(from_file.name, from_folder.name);
    cr_expect_str_eq(from_file.golden_path, from_folder.golden_path);
    cr_expect_str_eq(from_file.golden_path, temporary_path("golden.safetensors"));
    mcv_golden_case_free(&from_folder);
    mcv_golden_case_free(&from_file);
}

Test(golden_case, the_exact_file_is_used_where_it_exists) {
    expect_failure("{" HELLO ", \"exact\": true}", "exact.safetensors: missing");
    temporary_text("exact.safetensors", "");
    mcv_golden_case c = load_good("{" HELLO "}");
    cr_expect_str_eq(c.exact_path, temporary_path("exact.safetensors"));
    mcv_golden_case_free(&c);
}

Test(golden_case, errors_name_the_place) {
    mcv_golden_case c;
    cr_expect_eq(mcv_golden_case_load("/nowhere/case.json", &c), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "/nowhere/case.json"));
    cr_expect_eq(mcv_golden_case_load(temporary_folder(), &c), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "case.json: cannot be opened"));
    expect_failure("{", "not valid JSON");
    expect_failure("[]", "expected an object");
    expect_failure("{}", "case.json: conversations: expected an array of conversations, found nothing");
    expect_failure("{\"conversations\": []}", "with 1 to");
    expect_failure("{\"conversations\": [[]]}", "conversations[0]: expected an array of messages");
    expect_failure("{\"conversations\": [[{\"content\": \"\"}]]}", "conversations[0][0].role");
    expect_failure("{\"conversations\": [[{\"role\": \"user\"}]]}",
                   "content: expected a string or an array, found nothing");
    expect_failure("{\"conversations\": [[{\"role\": \"user\", \"content\": [{\"type\": \"video\"}]}]]}",
                   "content[0].type: expected \"image\" or \"text\", found the string \"video\"");
    expect_failure("{\"conversations\": [[{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]]}",
                   "content[0].path: expected a value");
    expect_failure(
        "{\"conversations\": [[{\"role\": \"user\", \"content\": [{\"type\": \"image\", \"path\": \"dot.ppm\"},"
        "{\"type\": \"image\", \"path\": \"none.png\"}]}]]}",
        "none.png");
    expect_failure("{" HELLO ", \"temporal_ids\": [[[0]], [[1]]]}", "one list of groups a conversation");
    expect_failure("{" HELLO ", \"temporal_ids\": [[[0, -2]]]}",
                   "temporal_ids[0][0][1]: expected an integer of at least -1");
    expect_failure("{" HELLO ", \"temporal_ids\": [[[]]]}", "an array of temporal ids with 1 to");
    expect_failure("{" HELLO ", \"max_slice_nums\": 0}", "max_slice_nums: expected an integer from 1");
    expect_failure("{" HELLO ", \"use_image_id\": 1}", "use_image_id: expected true or false");
}

Test(golden_case, a_case_that_is_cut_anywhere_is_damaged) {
    static const char WHOLE[] =
        "{\"conversations\": [[{\"role\": \"user\", \"content\": [{\"type\": \"image\", \"path\": \"dot.ppm\"},"
        "{\"type\": \"text\", \"text\": \"\\u00e4\"}]}]], \"temporal_ids\": [[[0]]],"
        "\"generate\": [{\"name\": \"a\", \"num_beams\": 3}]}";
    mcv_golden_case c = load_good(WHOLE);
    mcv_golden_case_free(&c);
    char cut[sizeof WHOLE];
    for (size_t size = 0; size + 1 < sizeof WHOLE; size++) {
        memcpy(cut, WHOLE, size);
        cut[size] = 0;
        expect_failure(cut, "case.json");
    }
}

Test(golden_case, decoding_settings_that_would_change_the_answer_unseen) {
    expect_failure("{" HELLO ", \"generate\": [{}]}", "generate[0].name: expected a value");
    expect_failure("{" HELLO ", \"generate\": [{\"name\": \"a\", \"typical_p\": 0.5}]}", "generate[0].typical_p");
    expect_failure("{" HELLO ", \"generate\": [{\"name\": \"a\", \"do_sample\": true}]}", "generate[0].do_sample");
    expect_failure("{" HELLO ", \"generate\": [{\"name\": \"a\", \"num_beams\": 0}]}",
                   "num_beams: expected an integer");
    expect_failure("{" HELLO ", \"generate\": [{\"name\": \"a\", \"early_stopping\": 1}]}",
                   "early_stopping: expected true, false or \"never\"");
    expect_failure("{" HELLO ", \"generate\": [{\"name\": \"a\", \"repetition_penalty\": 0}]}", "repetition_penalty");
}
