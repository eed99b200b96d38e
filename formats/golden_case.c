#include "formats/golden_case.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "formats/json.h"

/* HF: the default of MiniCPMV.chat(max_inp_length=...). */
enum { DEFAULT_MAX_INP_LENGTH = 16384 };

/* Beyond any case that fits into memory; keeps counts within int. */
enum { MOST_ITEMS = 1 << 20 };

static mcv_status copy_text(mcv_arena *arena, const char *text, const char **copy) {
    size_t size = strlen(text) + 1;
    char *bytes;
    MCV_TRY(MCV_ARENA_NEW(arena, &bytes, size));
    memcpy(bytes, text, size);
    *copy = bytes;
    return MCV_OK;
}

static mcv_status join(mcv_arena *arena, const char *folder, const char *name, const char **path) {
    char *joined;
    MCV_TRY(mcv_path_join(&joined, folder, name));
    mcv_status status = copy_text(arena, joined, path);
    free(joined);
    return status;
}

static mcv_status require_string(const mcv_json *object, const char *key, const char **text) {
    MCV_TRY(mcv_json_require(object, key));
    return mcv_json_get_string(object, key, text);
}

/* An array that must be there, as the number of its items. */
static mcv_status require_items(const mcv_json *array, size_t least, int *count) {
    size_t items = mcv_json_count(array);
    if (!json_is_array(array->value) || items < least || items > MOST_ITEMS)
        return mcv_json_fail(MCV_BAD_INPUT, array, least ? "an array that is not empty" : "an array");
    *count = (int)items;
    return MCV_OK;
}

static mcv_status load_part(const mcv_json *json, const char *folder, mcv_arena *arena, mcv_case_part *part) {
    const char *type = NULL, *value = NULL;
    *part = (mcv_case_part){0};
    MCV_TRY(require_string(json, "type", &type));
    if (strcmp(type, "image") == 0) {
        MCV_TRY(require_string(json, "path", &value));
        return join(arena, folder, value, &part->image);
    }
    if (strcmp(type, "text") == 0) {
        MCV_TRY(require_string(json, "text", &value));
        return copy_text(arena, value, &part->text);
    }
    mcv_json member = mcv_json_member(json, "type");
    return mcv_json_fail(MCV_BAD_INPUT, &member, "\"image\" or \"text\"");
}

static mcv_status load_message(const mcv_json *json, const char *folder, mcv_arena *arena, mcv_case_message *message) {
    const char *role = NULL;
    MCV_TRY(require_string(json, "role", &role));
    MCV_TRY(copy_text(arena, role, &message->role));
    mcv_json content = mcv_json_member(json, "content");
    if (json_is_string(content.value)) {
        message->num_parts = 1;
        MCV_TRY(MCV_ARENA_NEW(arena, &message->parts, 1));
        message->parts[0] = (mcv_case_part){0};
        return copy_text(arena, json_string_value(content.value), &message->parts[0].text);
    }
    if (!json_is_array(content.value))
        return mcv_json_fail(MCV_BAD_INPUT, &content, "a string or an array of parts");
    MCV_TRY(require_items(&content, 0, &message->num_parts));
    MCV_TRY(MCV_ARENA_NEW(arena, &message->parts, message->num_parts));
    for (int i = 0; i < message->num_parts; i++) {
        mcv_json part = mcv_json_item(&content, (size_t)i);
        MCV_TRY(load_part(&part, folder, arena, &message->parts[i]));
    }
    return MCV_OK;
}

static mcv_status load_conversation(const mcv_json *json, const char *folder, mcv_arena *arena,
                                    mcv_case_conversation *conversation) {
    *conversation = (mcv_case_conversation){0};
    MCV_TRY(require_items(json, 1, &conversation->num_messages));
    MCV_TRY(MCV_ARENA_NEW(arena, &conversation->messages, conversation->num_messages));
    for (int i = 0; i < conversation->num_messages; i++) {
        mcv_json message = mcv_json_item(json, (size_t)i);
        MCV_TRY(load_message(&message, folder, arena, &conversation->messages[i]));
    }
    return MCV_OK;
}

static mcv_status load_conversations(const mcv_json *root, const char *folder, mcv_golden_case *golden_case) {
    mcv_json list = mcv_json_member(root, "conversations");
    MCV_TRY(require_items(&list, 1, &golden_case->num_conversations));
    MCV_TRY(MCV_ARENA_NEW(&golden_case->arena, &golden_case->conversations, golden_case->num_conversations));
    for (int i = 0; i < golden_case->num_conversations; i++) {
        mcv_json item = mcv_json_item(&list, (size_t)i);
        MCV_TRY(load_conversation(&item, folder, &golden_case->arena, &golden_case->conversations[i]));
    }
    return MCV_OK;
}

static mcv_status load_group(const mcv_json *json, mcv_arena *arena, mcv_case_group *group) {
    MCV_TRY(require_items(json, 1, &group->count));
    MCV_TRY(MCV_ARENA_NEW(arena, &group->temporal_ids, group->count));
    for (int i = 0; i < group->count; i++) {
        mcv_json id = mcv_json_item(json, (size_t)i);
        json_int_t value = json_integer_value(id.value);
        if (!json_is_integer(id.value) || value < -1 || value > INT32_MAX)
            return mcv_json_fail(MCV_BAD_INPUT, &id, "an integer of at least -1");
        group->temporal_ids[i] = (int32_t)value;
    }
    return MCV_OK;
}

static mcv_status load_groups(const mcv_json *json, mcv_arena *arena, mcv_case_conversation *conversation) {
    MCV_TRY(require_items(json, 0, &conversation->num_groups));
    MCV_TRY(MCV_ARENA_NEW(arena, &conversation->groups, conversation->num_groups));
    for (int i = 0; i < conversation->num_groups; i++) {
        mcv_json group = mcv_json_item(json, (size_t)i);
        MCV_TRY(load_group(&group, arena, &conversation->groups[i]));
    }
    return MCV_OK;
}

/* Whether temporal_ids is the list of groups of a single conversation. HF: list_depth(temporal_ids) == 2. */
static bool has_depth_two(const mcv_json *temporal_ids) {
    mcv_json first = mcv_json_item(temporal_ids, 0);
    return json_is_integer(json_array_get(first.value, 0));
}

static mcv_status load_temporal_ids(const mcv_json *root, mcv_golden_case *golden_case) {
    mcv_json list;
    MCV_TRY(mcv_json_get_array(root, "temporal_ids", &list));
    if (!list.value)
        return MCV_OK;
    if (golden_case->num_conversations == 1 && has_depth_two(&list))
        return load_groups(&list, &golden_case->arena, &golden_case->conversations[0]);
    if (mcv_json_count(&list) != (size_t)golden_case->num_conversations)
        return mcv_json_fail(MCV_BAD_INPUT, &list, "one list of groups a conversation");
    for (int i = 0; i < golden_case->num_conversations; i++) {
        mcv_json groups = mcv_json_item(&list, (size_t)i);
        MCV_TRY(load_groups(&groups, &golden_case->arena, &golden_case->conversations[i]));
    }
    return MCV_OK;
}

static mcv_status load_early_stopping(const mcv_json *json, int *early_stopping) {
    mcv_json member = mcv_json_member(json, "early_stopping");
    if (json_is_string(member.value) && strcmp(json_string_value(member.value), "never") == 0) {
        *early_stopping = 2;
        return MCV_OK;
    }
    if (member.value && !json_is_boolean(member.value))
        return mcv_json_fail(MCV_BAD_INPUT, &member, "true, false or \"never\"");
    *early_stopping = json_is_true(member.value);
    return MCV_OK;
}

/* A setting that is not understood would change the answer. */
static mcv_status check_decoding_keys(const mcv_json *json) {
    static const char *const KNOWN[] = {"name",      "max_new_tokens",     "min_new_tokens", "num_beams",
                                        "do_sample", "repetition_penalty", "length_penalty", "early_stopping"};
    const char *key;
    json_t *value;
    json_object_foreach(json->value, key, value) {
        size_t i = 0, count = sizeof KNOWN / sizeof KNOWN[0];
        while (i < count && strcmp(key, KNOWN[i]) != 0)
            i++;
        mcv_json member = {.value = value, .parent = json, .key = key};
        if (i == count)
            return mcv_json_fail(MCV_BAD_INPUT, &member, "only decoding settings that are known here");
    }
    return MCV_OK;
}

static mcv_status load_decoding(const mcv_json *json, mcv_arena *arena, mcv_case_decoding *decoding) {
    const char *name = NULL;
    bool do_sample = false;
    *decoding = (mcv_case_decoding){
        .max_new_tokens = 20, .num_beams = 1, .repetition_penalty = 1, .length_penalty = 1}; /* GenerationConfig() */
    MCV_TRY(require_string(json, "name", &name));
    MCV_TRY(copy_text(arena, name, &decoding->name));
    MCV_TRY(check_decoding_keys(json));
    MCV_TRY(mcv_json_get_bool(json, "do_sample", &do_sample));
    if (do_sample) {
        mcv_json member = mcv_json_member(json, "do_sample");
        return mcv_json_fail(MCV_BAD_INPUT, &member, "false, as sampled text cannot be compared");
    }
    MCV_TRY(mcv_json_get_int(json, "max_new_tokens", 1, INT_MAX, &decoding->max_new_tokens));
    MCV_TRY(mcv_json_get_int(json, "min_new_tokens", 0, INT_MAX, &decoding->min_new_tokens));
    MCV_TRY(mcv_json_get_int(json, "num_beams", 1, 1024, &decoding->num_beams));
    MCV_TRY(mcv_json_get_double(json, "repetition_penalty", 1e-6, 1e6, &decoding->repetition_penalty));
    MCV_TRY(mcv_json_get_double(json, "length_penalty", -1e6, 1e6, &decoding->length_penalty));
    return load_early_stopping(json, &decoding->early_stopping);
}

static mcv_status load_decodings(const mcv_json *root, mcv_golden_case *golden_case) {
    mcv_json list;
    MCV_TRY(mcv_json_get_array(root, "generate", &list));
    if (!list.value)
        return MCV_OK;
    MCV_TRY(require_items(&list, 0, &golden_case->num_decodings));
    MCV_TRY(MCV_ARENA_NEW(&golden_case->arena, &golden_case->decodings, golden_case->num_decodings));
    for (int i = 0; i < golden_case->num_decodings; i++) {
        mcv_json item = mcv_json_item(&list, (size_t)i);
        MCV_TRY(load_decoding(&item, &golden_case->arena, &golden_case->decodings[i]));
    }
    return MCV_OK;
}

static mcv_status load_exact(const mcv_json *root, const char *folder, mcv_golden_case *golden_case) {
    bool expected = false;
    MCV_TRY(mcv_json_get_bool(root, "exact", &expected));
    const char *path;
    MCV_TRY(join(&golden_case->arena, folder, "exact.safetensors", &path));
    if (mcv_file_exists(path))
        golden_case->exact_path = path;
    else if (expected)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: missing, though case.json says \"exact\": true", path);
    return MCV_OK;
}

static mcv_status load_settings(const mcv_json *root, const char *folder, mcv_golden_case *golden_case) {
    mcv_arena *arena = &golden_case->arena;
    const char *model = NULL, *system_prompt = NULL;
    bool use_image_id = false;
    MCV_TRY(mcv_json_get_string(root, "model", &model));
    if (model)
        MCV_TRY(join(arena, folder, model, &golden_case->model));
    MCV_TRY(mcv_json_get_string(root, "system_prompt", &system_prompt));
    if (system_prompt)
        MCV_TRY(copy_text(arena, system_prompt, &golden_case->system_prompt));
    MCV_TRY(mcv_json_get_int(root, "max_slice_nums", 1, 1000, &golden_case->max_slice_nums));
    MCV_TRY(mcv_json_get_bool(root, "use_image_id", &use_image_id));
    if (mcv_json_member(root, "use_image_id").value)
        golden_case->use_image_id = use_image_id;
    MCV_TRY(mcv_json_get_bool(root, "enable_thinking", &golden_case->enable_thinking));
    return mcv_json_get_int(root, "max_inp_length", 1, INT_MAX, &golden_case->max_inp_length);
}

static mcv_status load_case(const mcv_json *root, const char *folder, mcv_golden_case *golden_case) {
    MCV_TRY(load_settings(root, folder, golden_case));
    MCV_TRY(load_conversations(root, folder, golden_case));
    MCV_TRY(load_temporal_ids(root, golden_case));
    MCV_TRY(load_decodings(root, golden_case));
    MCV_TRY(join(&golden_case->arena, folder, "golden.safetensors", &golden_case->golden_path));
    return load_exact(root, folder, golden_case);
}

/* The last component of a folder's path: "two-images" of "cases/two-images/". */
static mcv_status name_of_folder(mcv_arena *arena, const char *folder, const char **name) {
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/')
        begin--;
    char *text;
    MCV_TRY(MCV_ARENA_NEW(arena, &text, end - begin + 1));
    memcpy(text, folder + begin, end - begin);
    text[end - begin] = 0;
    *name = text;
    return MCV_OK;
}

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

mcv_status mcv_golden_case_load(const char *path, mcv_golden_case *golden_case) {
    *golden_case = (mcv_golden_case){.use_image_id = -1, .max_inp_length = DEFAULT_MAX_INP_LENGTH};
    char *folder = NULL, *file = NULL;
    mcv_json root = {0};
    mcv_status status;
    if (is_folder(path)) {
        MCV_TRY_GOTO(status, done, mcv_strdup(&folder, path));
        MCV_TRY_GOTO(status, done, mcv_path_join(&file, path, "case.json"));
    } else {
        MCV_TRY_GOTO(status, done, mcv_path_folder(&folder, path));
        MCV_TRY_GOTO(status, done, mcv_strdup(&file, path));
    }
    MCV_TRY_GOTO(status, done, mcv_json_load(file, &root));
    MCV_TRY_GOTO(status, done, name_of_folder(&golden_case->arena, folder, &golden_case->name));
    status = load_case(&root, folder, golden_case);
done:
    mcv_json_free(&root);
    free(file);
    free(folder);
    if (status != MCV_OK)
        mcv_golden_case_free(golden_case);
    return status;
}

void mcv_golden_case_free(mcv_golden_case *golden_case) {
    mcv_arena_free(&golden_case->arena);
    *golden_case = (mcv_golden_case){0};
}
