/* Frame groups in JSON, as HF's chat() takes them: [[0, 5, 10], [15, 20]], a list of temporal ids a group. */
#ifndef MCV_FORMATS_TEMPORAL_IDS_H
#define MCV_FORMATS_TEMPORAL_IDS_H

#include "core/arena.h"
#include "formats/json.h"

/* Whether this is one conversation's list of groups, not a list of those. HF: list_depth(temporal_ids) == 2. */
bool mcv_temporal_ids_are_of_one(const mcv_json *json);

/* Reads one conversation's groups into `arena`. MCV_BAD_INPUT: anything but lists, none of them empty but the
 * outermost, of integers from -1 on. */
mcv_status mcv_temporal_ids_read(const mcv_json *json, mcv_arena *arena, const mcv_temporal_ids **temporal_ids);

#endif
