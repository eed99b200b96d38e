#include "formats/temporal_ids.h"

/* Beyond any video; keeps counts within int. */
enum { MOST_ITEMS = 1 << 20 };

bool mcv_temporal_ids_are_of_one(const mcv_json *json) {
    mcv_json first = mcv_json_item(json, 0);
    return json_is_integer(json_array_get(first.value, 0));
}

static mcv_status read_group(const mcv_json *json, mcv_arena *arena, mcv_frame_group *group) {
    int32_t *ids;
    size_t count = mcv_json_count(json);
    if (count < 1 || count > MOST_ITEMS)
        return mcv_json_fail(MCV_BAD_INPUT, json, "an array of temporal ids with 1 to 1048576 items");
    MCV_TRY(MCV_ARENA_NEW(arena, &ids, count));
    *group = (mcv_frame_group){(int)count, ids};
    for (size_t i = 0; i < count; i++) {
        mcv_json id = mcv_json_item(json, i);
        json_int_t value = json_integer_value(id.value);
        if (!json_is_integer(id.value) || value < -1 || value > INT32_MAX)
            return mcv_json_fail(MCV_BAD_INPUT, &id, "an integer of at least -1");
        ids[i] = (int32_t)value;
    }
    return MCV_OK;
}

mcv_status mcv_temporal_ids_read(const mcv_json *json, mcv_arena *arena, const mcv_temporal_ids **temporal_ids) {
    size_t count = mcv_json_count(json);
    mcv_temporal_ids *read;
    mcv_frame_group *groups;
    if (!json_is_array(json->value) || count > MOST_ITEMS)
        return mcv_json_fail(MCV_BAD_INPUT, json, "an array of groups, each an array of temporal ids");
    MCV_TRY(MCV_ARENA_NEW(arena, &read, 1));
    MCV_TRY(MCV_ARENA_NEW(arena, &groups, count));
    for (size_t i = 0; i < count; i++) {
        mcv_json group = mcv_json_item(json, i);
        MCV_TRY(read_group(&group, arena, &groups[i]));
    }
    *read = (mcv_temporal_ids){(int)count, groups};
    *temporal_ids = read;
    return MCV_OK;
}
