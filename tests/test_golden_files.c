/* golden/ is whole: its files are those of the manifest, its cases load and are described. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <string.h>

#include "core/file.h"
#include "formats/golden_case.h"
#include "formats/hash.h"
#include "formats/json.h"

Test(golden_files, have_the_hashes_of_the_manifest) {
    mcv_json manifest, files;
    cr_assert_eq(mcv_json_load("golden/manifest.json", &manifest), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_json_get_object(&manifest, "files", &files), MCV_OK, "%s", mcv_error_message());
    cr_assert_gt(json_object_size(files.value), 0);
    const char *name;
    json_t *about;
    json_object_foreach(files.value, name, about) {
        char *path;
        mcv_hash hash;
        cr_assert_eq(mcv_path_join(&path, "golden", name), MCV_OK);
        cr_expect_eq(mcv_hash_file(path, &hash), MCV_OK, "%s", mcv_error_message());
        const char *expected = json_string_value(json_object_get(about, "xxh3"));
        cr_expect_str_eq(hash.xxh3_64, expected, "%s: XXH3 is %s, the manifest says %s", path, hash.xxh3_64, expected);
        free(path);
    }
    mcv_json_free(&manifest);
}

static void expect_case(const char *name, const char *readme) {
    char path[512], row[300];
    mcv_golden_case golden_case;
    snprintf(path, sizeof path, "golden/cases/%s", name);
    cr_assert_eq(mcv_golden_case_load(path, &golden_case), MCV_OK, "%s", mcv_error_message());
    cr_expect(mcv_file_exists(golden_case.model), "%s: no such model", golden_case.model);
    cr_expect(mcv_file_exists(golden_case.golden_path), "%s: no such file", golden_case.golden_path);
    snprintf(row, sizeof row, "| `%s` |", name);
    cr_expect(strstr(readme, row), "golden/README.md has no row for the case %s", name);
    mcv_golden_case_free(&golden_case);
}

Test(golden_files, cases_load_and_stand_in_the_readme) {
    mcv_buffer readme = {0};
    cr_assert_eq(mcv_file_read("golden/README.md", 1 << 20, &readme), MCV_OK, "%s", mcv_error_message());
    DIR *folder = opendir("golden/cases");
    cr_assert(folder, "golden/cases: no such folder");
    int cases = 0;
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.') {
            expect_case(entry->d_name, mcv_buffer_text(&readme));
            cases++;
        }
    closedir(folder);
    cr_assert_gt(cases, 0);
    mcv_buffer_free(&readme);
}
