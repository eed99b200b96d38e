/* The metadata of a GGUF pair as the JSON files of a Hugging Face folder, so that both are read by the same code. */
#ifndef MCV_REF_GGUF_CONFIG_H
#define MCV_REF_GGUF_CONFIG_H

#include "formats/gguf.h"
#include "formats/json.h"

/* config.json. MCV_BAD_INPUT: keys that are missing or of another kind; MCV_UNSUPPORTED: another architecture or
 * projector, scaled positions. To be released with mcv_json_free. */
mcv_status gguf_config(const mcv_gguf *language, const mcv_gguf *vision, mcv_json *json);

/* Keys of this project's own, which other readers pass over; JSON texts. */
#define GGUF_PREPROCESSOR_KEY "minicpmv.preprocessor_config" /* preprocessor_config.json */
#define GGUF_CONFIG_KEY "minicpmv.config"                    /* what of config.json no key of the format says */

/* Of config.json those members that the format has no keys for. To be released with json_decref; NULL: out of memory.
 */
json_t *gguf_own_config(const mcv_json *config);

/* preprocessor_config.json; the same. Where the file does not hold it, 4.5's own with what the file does say. */
mcv_status gguf_preprocessor_config(const mcv_gguf *vision, mcv_json *json);

#endif
