/* The metadata of a GGUF pair as the JSON files of a Hugging Face folder, so that both are read by the same code. */
#ifndef MCV_REF_GGUF_CONFIG_H
#define MCV_REF_GGUF_CONFIG_H

#include "formats/gguf.h"
#include "formats/json.h"

/* config.json. MCV_BAD_INPUT: keys that are missing or of another kind; MCV_UNSUPPORTED: another architecture or
 * projector, scaled positions. To be released with mcv_json_free. */
mcv_status gguf_config(const mcv_gguf *language, const mcv_gguf *vision, mcv_json *json);

/* preprocessor_config.json; the same. */
mcv_status gguf_preprocessor_config(const mcv_gguf *vision, mcv_json *json);

#endif
