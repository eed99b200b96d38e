/* Resizes raw pixels from standard input, for comparison with Pillow (tests/live/pillow_resize.py). A request is five
 * int32 (PillowVersion, width, height, new width, new height) and the pixels, the answer the new pixels. */
#include <stdio.h>

#include "ref/pillow_resize.h"

static mcv_status answer(const int32_t request[5]) {
    mcv_image in = {.width = request[1], .height = request[2]}, out = {0};
    size_t size = (size_t)in.width * (size_t)in.height * 3;
    mcv_status status;
    MCV_TRY_GOTO(status, end, MCV_NEW(&in.rgb, size));
    if (fread(in.rgb, 1, size, stdin) != size) {
        status = MCV_FAIL(MCV_BAD_INPUT, "expected %zu bytes of pixels", size);
        goto end;
    }
    MCV_TRY_GOTO(status, end,
                 pillow_resize_bicubic(&in, request[3], request[4], (PillowVersion)request[0], &PILLOW_PASSES, &out));
    fwrite(out.rgb, 3, (size_t)out.width * (size_t)out.height, stdout);
    fflush(stdout);
end:
    mcv_image_free(&in);
    mcv_image_free(&out);
    return status;
}

int main(void) {
    int32_t request[5];
    while (fread(request, sizeof request, 1, stdin) == 1) {
        mcv_status status = answer(request);
        if (status != MCV_OK) {
            fprintf(stderr, "%s\n", mcv_error_message());
            return mcv_exit_code(status);
        }
    }
    return 0;
}
