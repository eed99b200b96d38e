/* Name maps: what another engine calls the tensors of a dump, and what golden files call them.
 *
 * A text file with a line a rule (see word_lines.h):
 *
 *     # theirs               golden's
 *     l_out-([0-9]+)         llm.model.layers.\1
 *     result_output          llm.lm_head
 *     .*\.rotary_emb         -
 *
 * The first word is a POSIX extended regular expression that has to match a whole name, of at most 256 bytes and
 * without counts in braces; the second the name that takes its place, with \1 to \9 for the parts in brackets; "-"
 * leaves the tensor out. The first line that matches counts; a name that none matches stays as it is. */
#ifndef MCV_FORMATS_NAME_MAP_H
#define MCV_FORMATS_NAME_MAP_H

#include "core/memory.h"

typedef struct mcv_name_map mcv_name_map;

/* MCV_BAD_INPUT: a line that is no rule, or a file without rules. */
mcv_status mcv_name_map_read(const char *path, mcv_name_map **map);
void mcv_name_map_free(mcv_name_map *map);

/* *translated: to be released with free(); NULL where the tensor is left out. map NULL: a copy of `name`. */
mcv_status mcv_name_map_translate(const mcv_name_map *map, const char *name, char **translated);

#endif
