/* Outputs that would take the place of what a command reads, under whatever name. */
#ifndef MCV_CLI_OUTPUTS_H
#define MCV_CLI_OUTPUTS_H

#include "cli/cli.h"

/* MCV_USAGE where what an option writes (--output, --report, --save, ...) is what another option or an operand names:
 * that file, one that lies in that folder (but a GGUF file: such a model does not lie in a folder), or of a case's
 * folder the case and its tensors. */
mcv_status mcv_outputs_check(const mcv_arguments *arguments);

/* MCV_USAGE where it is a file of the model that a case names. */
mcv_status mcv_output_check_model(const char *output, const char *model);

/* MCV_USAGE where `output` (NULL: none) is "-": results in words are on standard output already. `option`: "--output".
 */
mcv_status mcv_output_check_file(const char *output, const char *option);

/* MCV_BAD_INPUT where no file can be made of that name (NULL: none): for commands that work for long before they write
 * it. Pipes and devices are not tried. */
mcv_status mcv_output_try(const char *output);

#endif
