/* The options of commands that make prompts. */
#ifndef MCV_CLI_PROMPT_OPTIONS_H
#define MCV_CLI_PROMPT_OPTIONS_H

#include "cli/cli.h"

enum { MCV_MOST_SLICES = 1 << 20, MCV_MOST_PROMPT_TOKENS = 1 << 30 };

/* The defaults of chat(), and over them what --system, --thinking, --max-inp-length, --max-slice-nums and
 * --use-image-id say; a command may have some of these only. MCV_USAGE: a value that is malformed or out of its
 * range. */
mcv_status mcv_prompt_options_read(const mcv_arguments *arguments, mcv_prompt_options *options);

#endif
