/* Decodes image files for comparison with Pillow (tests/live/pillow_decode.py): reads a file name a line and answers
 * with a line each, "WIDTH HEIGHT XXH3" of the RGB bytes or "STATUS message". */
#include <stdio.h>
#include <string.h>

#include "formats/hash.h"
#include "formats/image.h"

int main(void) {
    char path[4096];
    while (fgets(path, sizeof path, stdin)) {
        mcv_image image;
        path[strcspn(path, "\n")] = 0;
        mcv_status status = mcv_image_load(path, &image);
        if (status == MCV_OK)
            printf("%d %d %s\n", image.width, image.height,
                   mcv_hash_bytes(image.rgb, (size_t)image.width * (size_t)image.height * 3).xxh3_128);
        else
            printf("%d %s\n", (int)status, mcv_error_message());
        fflush(stdout);
        mcv_image_free(&image);
    }
    return 0;
}
