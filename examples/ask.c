/* Asks a question about an image: ask MODEL IMAGE QUESTION. The answer is printed while it is written. */
#include <stdio.h>

#include "minicpmv.h"

static mcv_status print(void *context, int row, const char *text, size_t size) {
    (void)context;
    (void)row;
    fwrite(text, 1, size, stdout);
    return fflush(stdout) == 0 ? MCV_OK : MCV_BAD_INPUT;
}

int main(int argc, char **argv) {
    mcv_model *model = NULL;
    mcv_image image = {0};
    char *answer = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: ask MODEL IMAGE QUESTION\n");
        return 2;
    }
    mcv_part parts[] = {{.image = &image}, {.text = argv[3]}};
    mcv_message message = {.role = "user", .parts = parts, .num_parts = 2};
    mcv_conversation conversation = {.messages = &message, .num_messages = 1};
    mcv_observer observer = {.text = print};
    mcv_status status = mcv_model_open(argv[1], NULL, &model);
    if (status == MCV_OK)
        status = mcv_image_load(argv[2], &image);
    if (status == MCV_OK)
        status = mcv_chat(model, &conversation, 1, NULL, NULL, &observer, &answer);
    puts(status == MCV_OK ? "" : mcv_error_message());
    mcv_free(answer);
    mcv_image_free(&image);
    mcv_model_close(model);
    return (int)status;
}
