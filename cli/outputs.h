/* Outputs that would take the place of what a command reads, under whatever name. */
#ifndef MCV_CLI_OUTPUTS_H
#define MCV_CLI_OUTPUTS_H

#include "ref/model_files.h"

/* MCV_USAGE where `output` (NULL: nothing to check) is a file of the model: one that a folder holds and is no GGUF
 * file, a part of a GGUF file, the vision side, the other preprocessor_config.json. */
mcv_status mcv_output_check_model(const char *output, const ModelFiles *files);

/* MCV_USAGE where it is "-": results in words are on standard output already. `option`: "--output". */
mcv_status mcv_output_check_file(const char *output, const char *option);

/* MCV_USAGE where it is `other`, which `what` describes ("--imatrix"); either may be NULL. */
mcv_status mcv_output_check(const char *output, const char *other, const char *what);

#endif
