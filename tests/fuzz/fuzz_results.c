/* libFuzzer: what is compared and by which rules: golden cases, items of a task, dumps, kept logits, manifests, the
 * results that an evaluation goes on from, name maps and tolerances. */
#include "cli/eval_results.h"
#include "cli/manifest.h"
#include "cli/saved_logits.h"
#include "cli/tolerances.h"
#include "core/file.h"
#include "formats/dump_reader.h"
#include "formats/golden_case.h"
#include "tests/fuzz/input_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const FILES[] = {
    "case.json",   "item.json",     "manifest.json",  "results.jsonl",      "a.npy",
    "b.npy",       "metadata.json", "names.txt",      "dump.safetensors",   "exact.safetensors",
    "logits.json", "logits.npy",    "tolerances.txt", "logits.safetensors", "a.png"};

static double sum; /* of what is read */

static void read_case(void) {
    mcv_golden_case golden_case;
    mcv_json item;
    if (mcv_golden_case_load(temporary_path("case.json"), &golden_case) == MCV_OK)
        mcv_golden_case_free(&golden_case);
    if (mcv_json_load(temporary_path("item.json"), &item) != MCV_OK)
        return;
    if (mcv_golden_case_read_item(&item, temporary_folder(), &golden_case) == MCV_OK)
        mcv_golden_case_free(&golden_case);
    mcv_json_free(&item);
}

static void read_dump(const char *path) {
    mcv_name_map *names = NULL;
    mcv_dump *dump;
    if (mcv_name_map_read(temporary_path("names.txt"), &names) != MCV_OK)
        names = NULL;
    if (mcv_dump_open(path, names, &dump) == MCV_OK) {
        for (size_t i = 0; i < mcv_dump_count(dump); i++) {
            mcv_tensor tensor = mcv_dump_at(dump, i), found;
            size_t count;
            if (!mcv_dump_find(dump, mcv_dump_name(dump, i), &found) || !mcv_tensor_count(&tensor, &count))
                abort();
            sum += count ? mcv_tensor_get(&tensor, count - 1) : 0;
        }
        sum += mcv_dump_metadata(dump, "prompts") != NULL;
        mcv_dump_close(dump);
    }
    mcv_name_map_free(names);
}

static void read_logits(const char *path) {
    mcv_saved_logits *saved;
    mcv_saved_row row;
    sum += mcv_logits_check_output(path, 1, true);
    if (mcv_saved_logits_open(path, &saved) != MCV_OK)
        return;
    for (int conversation = 0; conversation < 3; conversation++)
        if (mcv_saved_logits_find(saved, "case", conversation, 4, &row) == MCV_OK)
            sum += row.logits ? (double)row.logits[3] : row.best + row.hash[0];
    mcv_saved_logits_close(saved);
}

static void read_rules(const mcv_buffer *text) {
    mcv_tolerances *tolerances;
    const mcv_tolerance *found;
    if (mcv_tolerances_read(mcv_buffer_text(text), text->size, "rules", "fast", "int8", &tolerances) != MCV_OK)
        return;
    if (mcv_tolerances_find(tolerances, "llm.model.layers.0.mlp", &found) == MCV_OK)
        sum += found->rel_l2;
    (void)!mcv_tolerances_check_names(tolerances);
    mcv_tolerances_free(tolerances);
}

static void read_results(void) {
    mcv_eval_results results = {0};
    json_t *about = json_pack("{s:s}", "model", "a");
    if (mcv_eval_results_open(temporary_path("results.jsonl"), about, &results) == MCV_OK)
        sum += (double)mcv_eval_results_count(&results);
    (void)!mcv_eval_results_close(&results);
    json_decref(about);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mcv_buffer rules = {0};
    folder_of_parts(FILES, sizeof FILES / sizeof *FILES, data, size);
    read_case();
    (void)!mcv_manifest_verify(temporary_path("manifest.json"), true);
    read_dump(temporary_folder());
    read_dump(temporary_path("dump.safetensors"));
    read_logits(temporary_path("logits.json"));
    read_logits(temporary_path("logits.npy"));
    read_logits(temporary_path("logits.safetensors"));
    if (mcv_file_read(temporary_path("tolerances.txt"), 1 << 20, &rules) == MCV_OK)
        read_rules(&rules);
    mcv_buffer_free(&rules);
    read_results();
    return 0;
}
