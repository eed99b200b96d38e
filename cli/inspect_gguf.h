/* minicpmv inspect FILE.gguf. */
#ifndef MCV_CLI_INSPECT_GGUF_H
#define MCV_CLI_INSPECT_GGUF_H

#include "cli/cli.h"

/* Shows what a GGUF file holds: metadata, tensors, types, bits a weight, problems. With --mmproj the pair is held to
 * the configuration that its metadata makes. MCV_BAD_INPUT where something is amiss. */
mcv_status mcv_inspect_gguf(const mcv_arguments *arguments);

#endif
