/* Bytes as text, for data inside HTML and JSON. RFC 4648, section 4. */
#ifndef MCV_CLI_BASE64_H
#define MCV_CLI_BASE64_H

#include "core/buffer.h"

/* Appends the text of `size` bytes, padded with '='. */
mcv_status mcv_base64_encode(const void *bytes, size_t size, mcv_buffer *text);

#endif
