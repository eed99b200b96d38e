#include "formats/golden_case.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "formats/image.h"
#include "formats/temporal_ids.h"

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

/* The number of items of an array that must be there; `what` are the words for it. */
static mcv_status require_items(const mcv_json *array, const char *what, size_t least, int *count) {
    size_t items = mcv_json_count(array);
    if (!json_is_array(array->value))
        return mcv_json_fail(MCV_BAD_INPUT, array, what);
    if (items < least || items > MOST_ITEMS) {
        char expected[96];
        snprintf(expected, sizeof expected, "%s with %zu to %d items", what, least, (int)MOST_ITEMS);
        return mcv_json_fail(MCV_BAD_INPUT, array, expected);
    }
    *count = (int)items;
    return MCV_OK;
}

/* Decodes an image file; the case releases its pixels. */
static mcv_status load_image(const char *folder, const char *name, mcv_golden_case *golden_case,
                             const mcv_image **out) {
    const char *path;
    mcv_image *image;
    MCV_TRY(join(&golden_case->arena, folder, name, &path));
    MCV_TRY(MCV_ARENA_NEW(&golden_case->arena, &image, 1));
    MCV_TRY(MCV_GROW(&golden_case->images, &golden_case->image_capacity, golden_case->num_images + 1));
    MCV_TRY(mcv_image_load(path, image));
    golden_case->images[golden_case->num_images++] = image;
    *out = image;
    return MCV_OK;
}

static mcv_status load_part(const mcv_json *json, const char *folder, mcv_golden_case *golden_case, mcv_part *part) {
    const char *type = NULL, *value = NULL;
    *part = (mcv_part){0};
    MCV_TRY(require_string(json, "type", &type));
    if (strcmp(type, "image") == 0) {
        MCV_TRY(require_string(json, "path", &value));
        return load_image(folder, value, golden_case, &part->image);
    }
    if (strcmp(type, "text") == 0) {
        MCV_TRY(require_string(json, "text", &value));
        return copy_text(&golden_case->arena, value, &part->text);
    }
    mcv_json member = mcv_json_member(json, "type");
    return mcv_json_fail(MCV_BAD_INPUT, &member, "\"image\" or \"text\"");
}

/* `content` is a string, which makes one part, or an array of parts. */
static mcv_status load_message(const mcv_json *json, const char *folder, mcv_golden_case *golden_case,
                               mcv_message *message) {
    mcv_arena *arena = &golden_case->arena;
    mcv_json content = mcv_json_member(json, "content");
    bool is_text = json_is_string(content.value);
    const char *role = NULL;
    mcv_part *parts;
    MCV_TRY(require_string(json, "role", &role));
    MCV_TRY(copy_text(arena, role, &message->role));
    message->num_parts = 1;
    if (!is_text)
        MCV_TRY(require_items(&content, "a string or an array", 0, &message->num_parts));
    MCV_TRY(MCV_ARENA_NEW(arena, &parts, message->num_parts));
    message->parts = parts;
    if (is_text) {
        parts[0] = (mcv_part){0};
        return copy_text(arena, json_string_value(content.value), &parts[0].text);
    }
    for (int i = 0; i < message->num_parts; i++) {
        mcv_json part = mcv_json_item(&content, (size_t)i);
        MCV_TRY(load_part(&part, folder, golden_case, &parts[i]));
    }
    return MCV_OK;
}

static mcv_status load_conversation(const mcv_json *json, const char *folder, mcv_golden_case *golden_case,
                                    mcv_conversation *conversation) {
    mcv_message *messages;
    *conversation = (mcv_conversation){0};
    MCV_TRY(require_items(json, "an array of messages", 1, &conversation->num_messages));
    MCV_TRY(MCV_ARENA_NEW(&golden_case->arena, &messages, conversation->num_messages));
    conversation->messages = messages;
    for (int i = 0; i < conversation->num_messages; i++) {
        mcv_json message = mcv_json_item(json, (size_t)i);
        MCV_TRY(load_message(&message, folder, golden_case, &messages[i]));
    }
    return MCV_OK;
}

static mcv_status load_conversations(const mcv_json *root, const char *folder, mcv_golden_case *golden_case) {
    mcv_json list = mcv_json_member(root, "conversations");
    MCV_TRY(require_items(&list, "an array of conversations", 1, &golden_case->num_conversations));
    MCV_TRY(MCV_ARENA_NEW(&golden_case->arena, &golden_case->conversations, golden_case->num_conversations));
    for (int i = 0; i < golden_case->num_conversations; i++) {
        mcv_json item = mcv_json_item(&list, (size_t)i);
        MCV_TRY(load_conversation(&item, folder, golden_case, &golden_case->conversations[i]));
    }
    return MCV_OK;
}

static mcv_status load_temporal_ids(const mcv_json *root, mcv_golden_case *golden_case) {
    mcv_json list;
    MCV_TRY(mcv_json_get_array(root, "temporal_ids", &list));
    if (!list.value)
        return MCV_OK;
    if (golden_case->num_conversations == 1 && mcv_temporal_ids_are_of_one(&list))
        return mcv_temporal_ids_read(&list, &golden_case->arena, &golden_case->conversations[0].temporal_ids);
    if (mcv_json_count(&list) != (size_t)golden_case->num_conversations)
        return mcv_json_fail(MCV_BAD_INPUT, &list, "one list of groups a conversation");
    for (int i = 0; i < golden_case->num_conversations; i++) {
        mcv_json groups = mcv_json_item(&list, (size_t)i);
        MCV_TRY(mcv_temporal_ids_read(&groups, &golden_case->arena, &golden_case->conversations[i].temporal_ids));
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
    if (member.value)
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
    *decoding = (mcv_case_decoding){.max_new_tokens = -1,
                                    .min_new_tokens = -1,
                                    .num_beams = -1,
                                    .early_stopping = -1,
                                    .repetition_penalty = (double)NAN,
                                    .length_penalty = (double)NAN};
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
    MCV_TRY(require_items(&list, "an array of settings", 0, &golden_case->num_decodings));
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

static mcv_status load_prompt_options(const mcv_json *root, mcv_arena *arena, mcv_prompt_options *options) {
    const char *system_prompt = NULL;
    bool use_image_id = false, enable_thinking = false;
    *options = (mcv_prompt_options){.use_image_id = -1, .max_inp_length = DEFAULT_MAX_INP_LENGTH};
    MCV_TRY(mcv_json_get_string(root, "system_prompt", &system_prompt));
    if (system_prompt)
        MCV_TRY(copy_text(arena, system_prompt, &options->system_prompt));
    MCV_TRY(mcv_json_get_bool(root, "enable_thinking", &enable_thinking));
    options->enable_thinking = enable_thinking;
    MCV_TRY(mcv_json_get_bool(root, "use_image_id", &use_image_id));
    if (mcv_json_member(root, "use_image_id").value)
        options->use_image_id = use_image_id;
    MCV_TRY(mcv_json_get_int(root, "max_slice_nums", 1, 1000, &options->max_slice_nums));
    return mcv_json_get_int(root, "max_inp_length", 1, INT_MAX, &options->max_inp_length);
}

static mcv_status load_model_path(const mcv_json *root, const char *folder, mcv_golden_case *golden_case) {
    const char *model = NULL;
    MCV_TRY(mcv_json_get_string(root, "model", &model));
    return model ? join(&golden_case->arena, folder, model, &golden_case->model) : MCV_OK;
}

static mcv_status load_case(const mcv_json *root, const char *folder, mcv_golden_case *golden_case) {
    MCV_TRY(load_model_path(root, folder, golden_case));
    MCV_TRY(load_prompt_options(root, &golden_case->arena, &golden_case->prompt_options));
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

/* Whether a folder, which is no case, holds one at least. */
static bool holds_cases(const char *folder) {
    DIR *entries = opendir(folder);
    bool found = false;
    for (struct dirent *entry; entries && !found && (entry = readdir(entries));) {
        mcv_buffer path = {0};
        if (entry->d_name[0] != '.' && mcv_buffer_printf(&path, "%s/%s/case.json", folder, entry->d_name) == MCV_OK)
            found = mcv_file_exists(path.data);
        mcv_buffer_free(&path);
    }
    if (entries)
        closedir(entries);
    return found;
}

static mcv_status refuse_folder_of_cases(const char *folder, const char *file) {
    if (mcv_file_exists(file) || !holds_cases(folder))
        return MCV_OK;
    const char *slash = mcv_ends_with(folder, "/") ? "" : "/";
    return MCV_FAIL(MCV_BAD_INPUT, "%s: expected a case, found a folder of cases: %s%s* names them all", folder, folder,
                    slash);
}

mcv_status mcv_golden_case_load(const char *path, mcv_golden_case *golden_case) {
    *golden_case = (mcv_golden_case){0};
    char *folder = NULL, *file = NULL;
    mcv_json root = {0};
    mcv_status status;
    if (mcv_path_is_folder(path)) {
        MCV_TRY_GOTO(status, done, mcv_strdup(&folder, path));
        MCV_TRY_GOTO(status, done, mcv_path_join(&file, path, "case.json"));
        MCV_TRY_GOTO(status, done, refuse_folder_of_cases(folder, file));
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

static mcv_status read_item(const mcv_json *item, const char *folder, mcv_golden_case *golden_case) {
    mcv_json messages = mcv_json_member(item, "messages");
    golden_case->num_conversations = 1;
    MCV_TRY(MCV_ARENA_NEW(&golden_case->arena, &golden_case->conversations, 1));
    MCV_TRY(load_prompt_options(item, &golden_case->arena, &golden_case->prompt_options));
    MCV_TRY(load_conversation(&messages, folder, golden_case, &golden_case->conversations[0]));
    return load_temporal_ids(item, golden_case);
}

mcv_status mcv_golden_case_read_item(const mcv_json *item, const char *folder, mcv_golden_case *golden_case) {
    *golden_case = (mcv_golden_case){0};
    mcv_status status = read_item(item, folder, golden_case);
    if (status != MCV_OK)
        mcv_golden_case_free(golden_case);
    return status;
}

void mcv_golden_case_free(mcv_golden_case *golden_case) {
    for (size_t i = 0; i < golden_case->num_images; i++)
        mcv_image_free(golden_case->images[i]);
    free(golden_case->images);
    mcv_arena_free(&golden_case->arena);
    *golden_case = (mcv_golden_case){0};
}
