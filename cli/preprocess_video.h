/* preprocess --video: a video's frames as the model is to see them. */
#ifndef MCV_CLI_PREPROCESS_VIDEO_H
#define MCV_CLI_PREPROCESS_VIDEO_H

#include "cli/cli.h"

/* Runs the command where --video was given. */
mcv_status mcv_preprocess_video(const mcv_arguments *arguments);

#endif
