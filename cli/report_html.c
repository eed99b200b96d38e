#include <jansson.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/base64.h"
#include "cli/json_output.h"
#include "cli/machine.h"
#include "cli/report.h"
#include "core/file.h"
#include "formats/hash.h"

/* cli/report_page.html. The word DATA in it stands for the results. */
extern const char mcv_report_page[];
static const char PLACE_OF_DATA[] = "@DATA@";

typedef struct html_report {
    mcv_file_writer
        writer;    /* opened first: who waits for a run should not hear at its end that nothing can be written */
    json_t *about; /* what ran, and where */
    json_t *cases, *errors;
} html_report;

/* ---- What ran, and where ----------------------------------------------------------------------------------------- */

/* The command line as it could be typed again. */
static json_t *describe_command(const mcv_arguments *arguments) {
    mcv_buffer text = {0};
    mcv_status status = mcv_buffer_printf(&text, "minicpmv %s", arguments->command->name);
    for (int i = 0; i < arguments->num_given && status == MCV_OK; i++) {
        const mcv_given_option *given = &arguments->given[i];
        status = mcv_buffer_printf(&text, " --%s%s%s", given->name, given->value ? " " : "",
                                   given->value ? given->value : "");
    }
    for (int i = 0; i < arguments->num_operands && status == MCV_OK; i++)
        status = mcv_buffer_printf(&text, " %s", arguments->operands[i]);
    json_t *command = status == MCV_OK ? json_string(mcv_buffer_text(&text)) : NULL;
    mcv_buffer_free(&text);
    return command;
}

/* "AMD EPYC ..., x86_64" */
static json_t *describe_machine(void) {
    mcv_machine machine = mcv_machine_get();
    return json_sprintf("%s%s%s", machine.cpu, machine.cpu[0] ? ", " : "", machine.architecture);
}

static json_t *describe_run(const mcv_arguments *arguments) {
    json_t *about = json_object();
    mcv_json_set(&about, "command", describe_command(arguments));
    mcv_json_set(&about, "version", json_string(MCV_VERSION));
    mcv_json_set(&about, "machine", describe_machine());
    return about;
}

/* ---- Files and versions ------------------------------------------------------------------------------------------ */

/* Without a hash where it is a folder or cannot be read. */
static void append_file(json_t **files, const char *role, const char *path) {
    struct stat status;
    mcv_hash hash;
    if (!path)
        return;
    json_t *file = json_pack("{s:s, s:s}", "role", role, "path", path);
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && mcv_hash_file(path, &hash) == MCV_OK) {
        mcv_json_set(&file, "bytes", json_integer((json_int_t)status.st_size));
        mcv_json_set(&file, "xxh3", json_string(hash.xxh3_64));
    }
    mcv_json_append(files, file);
}

static json_t *describe_files(const mcv_case_outcome *outcome) {
    json_t *files = json_array();
    append_file(&files, "compared", outcome->ours);
    append_file(&files, "golden", outcome->golden);
    append_file(&files, "exact (FP64)", outcome->exact);
    append_file(&files, "model", outcome->model);
    return files;
}

/* Each file of weights that the golden run was made with: its hash then, and now. */
static json_t *describe_weights(const mcv_case_outcome *outcome) {
    const char *recorded = mcv_dump_metadata(outcome->comparison->of.golden, "weights_xxh3"), *name;
    json_t *weights = json_array(), *hashes = recorded ? json_loads(recorded, 0, NULL) : NULL, *value;
    json_object_foreach(hashes, name, value) {
        json_t *weight = json_pack("{s:s, s:O}", "name", name, "recorded", value);
        char *path = NULL;
        mcv_hash hash;
        if (outcome->model && mcv_path_join(&path, outcome->model, name) == MCV_OK &&
            mcv_hash_file(path, &hash) == MCV_OK)
            mcv_json_set(&weight, "found", json_string(hash.xxh3_64));
        free(path);
        mcv_json_append(&weights, weight);
    }
    json_decref(hashes);
    return weights;
}

static json_t *describe_versions(const mcv_dump *golden) {
    static const char *const LIBRARIES[] = {"torch", "transformers", "pillow", "numpy"};
    json_t *versions = json_object();
    for (size_t i = 0; i < sizeof LIBRARIES / sizeof LIBRARIES[0]; i++)
        if (mcv_dump_metadata(golden, LIBRARIES[i]))
            mcv_json_set(&versions, LIBRARIES[i], json_string(mcv_dump_metadata(golden, LIBRARIES[i])));
    return versions;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* [[0, 812], [1, 37], [16, 2]]: the least distance of a bucket, and how many elements are in it. */
static json_t *describe_histogram(const mcv_ulp_histogram *ulps) {
    json_t *histogram = json_array();
    for (size_t bucket = 0; bucket < MCV_ULP_BUCKETS; bucket++)
        if (ulps->counts[bucket])
            mcv_json_append(&histogram, json_pack("[I, I]", (json_int_t)mcv_ulp_bucket_start(bucket),
                                                  (json_int_t)ulps->counts[bucket]));
    return histogram;
}

/* "exact: 0.5 x golden's, rel_l2 <= 1e-05" */
static json_t *describe_demand(const mcv_comparison *comparison, const mcv_comparison_row *row) {
    const mcv_tolerance *demand;
    if (mcv_tolerances_find(comparison->of.tolerances, row->name, &demand) != MCV_OK)
        return json_null();
    if (demand->equal || demand->shown)
        return json_string(demand->equal ? "equal" : "nothing (shown only)");
    mcv_buffer text = {0};
    bool beside_exact = row->measures.has_exact && isfinite(demand->exact);
    double rel_l2 = beside_exact ? demand->rel_l2_beside_exact : demand->rel_l2;
    mcv_status status = MCV_OK;
    if (beside_exact)
        status = mcv_buffer_printf(&text, "distance to FP64 at most %g of golden's, or what rounding costs; ",
                                   demand->exact);
    const struct {
        const char *words;
        double limit;
    } LIMITS[] = {{"relative L2 at most", rel_l2},
                  {"distance at most", demand->max_abs},
                  {"relative distance at most", demand->max_rel},
                  {"cosine at least", demand->cosine},
                  {"99% within ULP", demand->ulp_p99},
                  {"all within ULP", demand->ulp_max}};
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0] && status == MCV_OK; i++)
        if (isfinite(LIMITS[i].limit))
            status = mcv_buffer_printf(&text, "%s %g; ", LIMITS[i].words, LIMITS[i].limit);
    json_t *words = NULL;
    if (status == MCV_OK)
        words = json_stringn(mcv_buffer_text(&text), text.size > 2 ? text.size - 2 : 0);
    mcv_buffer_free(&text);
    return words;
}

static json_t *describe_row(const mcv_case_outcome *outcome, const mcv_comparison_row *row) {
    json_t *object = mcv_report_describe_row(outcome->name, row), *worst = json_array();
    json_object_del(object, "case");
    mcv_json_set(&object, "demand", describe_demand(outcome->comparison, row));
    if (row->measures.compared == 0) {
        json_decref(worst);
        return object;
    }
    for (int i = 0; i < row->measures.num_worst; i++)
        mcv_json_append(&worst, mcv_report_describe_element(row, &row->measures.worst[i]));
    mcv_json_set(&object, "worst", worst);
    mcv_json_set(&object, "histogram", describe_histogram(&row->measures.ulps));
    return object;
}

/* ---- Images and attention ---------------------------------------------------------------------------------------- */

static json_t *base64_string(const void *bytes, size_t size) {
    mcv_buffer text = {0};
    json_t *string = NULL;
    if (mcv_base64_encode(bytes, size, &text) == MCV_OK)
        string = json_stringn(mcv_buffer_text(&text), text.size);
    mcv_buffer_free(&text);
    return string;
}

static json_t *describe_image(const mcv_image *image) {
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)image->width,
                     .height = (png_uint_32)image->height,
                     .format = PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    uint8_t *bytes;
    if (!image->rgb || MCV_NEW(&bytes, size) != MCV_OK)
        return json_null();
    json_t *string = NULL;
    if (png_image_write_to_memory(&png, bytes, &size, 0, image->rgb, 0, NULL))
        string = base64_string(bytes, size);
    free(bytes);
    return string;
}

/* Weights as bytes, [queries, patches], in 255ths of the query's largest, and those largest. */
static void set_weights(json_t **object, const mcv_seen_slice *slice, int num_queries) {
    size_t patches = (size_t)slice->grid_h * (size_t)slice->grid_w, queries = (size_t)num_queries;
    uint8_t *bytes;
    if (!slice->weights || MCV_NEW(&bytes, queries * patches) != MCV_OK)
        return;
    json_t *largest = json_array();
    for (size_t q = 0; q < queries; q++) {
        const float *row = slice->weights + q * patches;
        float most = 0;
        for (size_t i = 0; i < patches; i++)
            most = fmaxf(most, row[i]);
        for (size_t i = 0; i < patches; i++)
            bytes[q * patches + i] = (uint8_t)(most > 0 ? lrintf(row[i] / most * 255) : 0);
        mcv_json_append(&largest, mcv_json_number((double)most));
    }
    mcv_json_set(object, "weights", base64_string(bytes, queries * patches));
    mcv_json_set(object, "largest", largest);
    free(bytes);
}

static json_t *describe_slice(const mcv_vision_record *vision, const mcv_seen_slice *slice, int32_t temporal_id) {
    json_t *object = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "conversation", slice->conversation, "index",
                               slice->index, "grid_h", slice->grid_h, "grid_w", slice->grid_w, "width",
                               slice->image.width, "height", slice->image.height, "time", (int)temporal_id);
    mcv_json_set(&object, "png", describe_image(&slice->image));
    set_weights(&object, slice, vision->num_queries);
    return object;
}

static json_t *describe_group(const mcv_vision_record *vision, const mcv_seen_group *group) {
    json_t *slices = json_array();
    for (int i = 0; i < group->count; i++) {
        size_t index = (size_t)(group->first_slice + i);
        mcv_json_append(&slices, describe_slice(vision, &vision->slices[index], group->temporal_ids[i]));
    }
    return slices;
}

/* Groups whose slices were all recorded. */
static json_t *describe_vision(const mcv_vision_record *vision) {
    json_t *groups = json_array();
    for (size_t g = 0; g < vision->num_groups; g++)
        if ((size_t)(vision->groups[g].first_slice + vision->groups[g].count) <= vision->num_slices)
            mcv_json_append(&groups, describe_group(vision, &vision->groups[g]));
    return json_pack("{s:I, s:i, s:o}", "groups_in_all", (json_int_t)vision->num_groups, "queries", vision->num_queries,
                     "groups", groups);
}

/* ---- The page ---------------------------------------------------------------------------------------------------- */

static mcv_status take_case(void *context, const mcv_case_outcome *outcome) {
    html_report *self = context;
    const mcv_comparison *comparison = outcome->comparison;
    json_t *rows = json_array(), *object = json_pack("{s:s}", "name", outcome->name);
    for (size_t i = 0; i < comparison->num_rows; i++)
        mcv_json_append(&rows, describe_row(outcome, &comparison->rows[i]));
    mcv_json_set(&object, "rows", rows);
    mcv_json_set(&object, "files", describe_files(outcome));
    mcv_json_set(&object, "weights", describe_weights(outcome));
    mcv_json_set(&object, "versions", describe_versions(comparison->of.golden));
    if (outcome->vision && outcome->vision->num_groups > 0)
        mcv_json_set(&object, "vision", describe_vision(outcome->vision));
    mcv_json_append(&self->cases, object);
    return MCV_OK;
}

static mcv_status take_error(void *context, const char *case_path, const char *why) {
    html_report *self = context;
    mcv_json_append(&self->errors, json_pack("{s:s, s:s}", "case", case_path, "error", why));
    return MCV_OK;
}

static json_t *describe_summary(const mcv_report_summary *summary) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s?}", "cases", (json_int_t)summary->cases, "failed",
                     (json_int_t)summary->failed, "not_run", (json_int_t)summary->not_run, "rows",
                     (json_int_t)summary->rows, "failed_rows", (json_int_t)summary->failed_rows, "shown_rows",
                     (json_int_t)summary->shown_rows, "differs", summary->differs, "first_place",
                     summary->differs ? summary->first_place : NULL);
}

/* Inside a <script> element nothing may look like a tag: '<' is written as JSON's \u003c. */
static mcv_status write_json(mcv_file_writer *writer, const char *json) {
    for (size_t size; *json; json += size) {
        size = strcspn(json, "<");
        MCV_TRY(mcv_writer_write(writer, json, size));
        if (json[size] == '<') {
            MCV_TRY(mcv_writer_write(writer, "\\u003c", strlen("\\u003c")));
            size++;
        }
    }
    return MCV_OK;
}

static mcv_status write_page(mcv_file_writer *writer, const char *json) {
    const char *place = strstr(mcv_report_page, PLACE_OF_DATA), *rest = place + strlen(PLACE_OF_DATA);
    MCV_TRY(mcv_writer_write(writer, mcv_report_page, (size_t)(place - mcv_report_page)));
    MCV_TRY(write_json(writer, json));
    return mcv_writer_write(writer, rest, strlen(rest));
}

static mcv_status finish(void *context, const mcv_report_summary *summary) {
    html_report *self = context;
    json_t *data = json_pack("{s:O, s:o, s:O, s:O}", "about", self->about, "summary", describe_summary(summary),
                             "cases", self->cases, "errors", self->errors);
    char *text = data ? json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(data);
    if (!text)
        return MCV_FAIL(MCV_NO_MEMORY, "%s: out of memory for the report", self->writer.path);
    mcv_status status = write_page(&self->writer, text);
    free(text);
    return status == MCV_OK ? mcv_writer_commit(&self->writer) : status;
}

static void free_report(void *context) {
    html_report *self = context;
    mcv_writer_abandon(&self->writer);
    json_decref(self->about);
    json_decref(self->cases);
    json_decref(self->errors);
    free(self);
}

mcv_status mcv_report_html(const mcv_arguments *arguments, const char *path, mcv_report_sink *sink) {
    html_report *self;
    MCV_TRY(MCV_NEW(&self, 1));
    mcv_status status = mcv_writer_open(&self->writer, path);
    if (status != MCV_OK) {
        free(self);
        return status;
    }
    self->about = describe_run(arguments);
    self->cases = json_array();
    self->errors = json_array();
    *sink = (mcv_report_sink){take_case, take_error, finish, free_report, self};
    return MCV_OK;
}
