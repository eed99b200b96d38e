#include <criterion/criterion.h>
#include <sys/stat.h>

#include "formats/dump_reader.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "tests/temporary.h"

static const float NUMBERS[4] = {1, 2, 3, 4};

static const char *file_in(const char *folder, const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A folder with a.npy [4], b.npy [2, 2], texts and a file that is no part of it. */
static const char *make_folder(void) {
    static char folder[4096];
    snprintf(folder, sizeof folder, "%s", temporary_path("arrays"));
    cr_assert_eq(mkdir(folder, 0700), 0);
    cr_assert_eq(mcv_npy_write(file_in(folder, "a.npy"), &MCV_TENSOR(MCV_F32, NUMBERS, 4)), MCV_OK);
    cr_assert_eq(mcv_npy_write(file_in(folder, "b#1.npy"), &MCV_TENSOR(MCV_F32, NUMBERS, 2, 2)), MCV_OK);
    FILE *metadata = fopen(file_in(folder, "metadata.json"), "w");
    cr_assert(metadata && fputs("{\"prompts\": \"[]\"}", metadata) >= 0 && fclose(metadata) == 0);
    FILE *other = fopen(file_in(folder, "README"), "w");
    cr_assert(other && fclose(other) == 0);
    return folder;
}

static mcv_name_map *rules(const char *text) {
    mcv_name_map *map;
    cr_assert_eq(mcv_name_map_read(temporary_file("names", text, strlen(text)), &map), MCV_OK);
    return map;
}

Test(dump_reader, a_folder_of_arrays) {
    mcv_dump *dump;
    mcv_tensor tensor;
    cr_assert_eq(mcv_dump_open(make_folder(), NULL, &dump), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_dump_count(dump), 2);
    cr_expect_str_eq(mcv_dump_name(dump, 0), "a");
    cr_assert(mcv_dump_find(dump, "b#1", &tensor));
    cr_expect(tensor.rank == 2 && mcv_tensor_get(&tensor, 3) == 4);
    cr_expect_not(mcv_dump_find(dump, "c", &tensor));
    cr_expect_str_eq(mcv_dump_metadata(dump, "prompts"), "[]");
    cr_expect_null(mcv_dump_metadata(dump, "text.x"));
    mcv_dump_close(dump);
}

Test(dump_reader, names_of_another_engine) {
    mcv_dump *dump;
    mcv_tensor tensor;
    const char *folder = make_folder();
    mcv_name_map *names = rules("b#([0-9]) vpm.\\1\na -\n");
    cr_assert_eq(mcv_dump_open(folder, names, &dump), MCV_OK, "%s", mcv_error_message());
    cr_expect_eq(mcv_dump_count(dump), 1);
    cr_expect(mcv_dump_find(dump, "vpm.1", &tensor));
    mcv_dump_close(dump);
    mcv_name_map_free(names);
    names = rules(".* x\n");
    cr_expect_eq(mcv_dump_open(folder, names, &dump), MCV_BAD_INPUT, "two tensors of one name");
    cr_expect(strstr(mcv_error_message(), "another tensor goes by the name x"), "%s", mcv_error_message());
    cr_expect_null(dump);
    mcv_name_map_free(names);
}

Test(dump_reader, safetensors) {
    const char *path = temporary_path("dump");
    mcv_safetensors_writer *writer;
    mcv_dump *dump;
    mcv_tensor tensor;
    cr_assert_eq(mcv_safetensors_create(path, &writer), MCV_OK);
    cr_assert_eq(mcv_safetensors_add(writer, "a", &MCV_TENSOR(MCV_F32, NUMBERS, 4)), MCV_OK);
    cr_assert_eq(mcv_safetensors_add_metadata(writer, "prompts", "[]"), MCV_OK);
    cr_assert_eq(mcv_safetensors_commit(writer), MCV_OK);
    mcv_name_map *names = rules("a b\n");
    cr_assert_eq(mcv_dump_open(path, names, &dump), MCV_OK, "%s", mcv_error_message());
    cr_expect(mcv_dump_find(dump, "b", &tensor) && !mcv_dump_find(dump, "a", &tensor));
    cr_expect_str_eq(mcv_dump_metadata(dump, "prompts"), "[]");
    mcv_dump_close(dump);
    mcv_name_map_free(names);
}

Test(dump_reader, bad_files) {
    mcv_dump *dump;
    const char *folder = make_folder();
    cr_expect_eq(mcv_dump_open("nowhere", NULL, &dump), MCV_BAD_INPUT);
    FILE *damaged = fopen(file_in(folder, "c.npy"), "w");
    cr_assert(damaged && fputs("\x93NUMPY\1", damaged) >= 0 && fclose(damaged) == 0);
    cr_expect_eq(mcv_dump_open(folder, NULL, &dump), MCV_BAD_INPUT);
    cr_expect_null(dump);
    cr_assert_eq(remove(file_in(folder, "c.npy")), 0);
    FILE *metadata = fopen(file_in(folder, "metadata.json"), "w");
    cr_assert(metadata && fputs("{", metadata) >= 0 && fclose(metadata) == 0);
    cr_expect_eq(mcv_dump_open(folder, NULL, &dump), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "metadata.json"), "%s", mcv_error_message());
}
