/* Manifests: lists of files with their sizes and hashes, to prove that a copy of them is whole. golden/manifest.py
 * makes the one of the golden cases. */
#ifndef MCV_CLI_MANIFEST_H
#define MCV_CLI_MANIFEST_H

#include <stdbool.h>

#include "core/status.h"

/* Holds the files beside a manifest to it: the XXH3 of each, that of each tensor in it, and that the folders
 * hold no file besides. Prints a line for each that is not as it should be and one that sums up, or one JSON object.
 * MCV_DIFFERS: something is missing, too much or different. MCV_BAD_INPUT: no manifest. */
mcv_status mcv_manifest_verify(const char *path, bool json);

#endif
