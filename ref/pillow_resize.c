#include "ref/pillow_resize.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Weights are fixed-point numbers with this many bits behind the point: 8 bits of the 32 are the sample's, 2 are left
 * for sums that go beyond 255 or below 0. */
enum { CHANNELS = 3, PRECISION_BITS = 32 - 8 - 2 };

mcv_status PillowVersion_from_string(const char *text, PillowVersion *version) {
    char *end;
    long major = strtol(text, &end, 10), minor = 0;
    bool valid = end > text && major > 0;
    if (valid && *end == '.') {
        const char *behind_point = end + 1;
        minor = strtol(behind_point, &end, 10);
        valid = end > behind_point && minor >= 0;
    }
    if (!valid || (*end && *end != '.'))
        return MCV_FAIL(MCV_USAGE, "Pillow version '%s': expected something like 13.0.0", text);
    if (major >= 13)
        *version = PILLOW_13;
    else
        *version = major == 12 && minor >= 2 ? PILLOW_12_2 : PILLOW_BEFORE_12_2;
    return MCV_OK;
}

/* Keys' cubic convolution with a = -0.5. */
static double bicubic_filter(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static void PillowCoefficients_free(PillowCoefficients *coefficients) {
    free(coefficients->first);
    free(coefficients->count);
    free(coefficients->weights);
}

static mcv_status PillowCoefficients_allocate(PillowCoefficients *coefficients, int out_size, double support) {
    double stride = ceil(support) * 2 + 1;
    /* Pillow's own limit, on as many doubles. */
    if (stride * (double)sizeof(double) * out_size > INT_MAX)
        return MCV_FAIL(MCV_BAD_INPUT, "resizing a side to %d needs %.0f filter weights, more than Pillow allows",
                        out_size, stride * out_size);
    coefficients->stride = (size_t)stride;
    MCV_TRY(MCV_NEW(&coefficients->first, (size_t)out_size));
    MCV_TRY(MCV_NEW(&coefficients->count, (size_t)out_size));
    return MCV_NEW(&coefficients->weights, (size_t)out_size * coefficients->stride);
}

static int32_t to_fixed_point(double weight) {
    return (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION_BITS));
}

/* Pillow: precompute_coeffs, normalize_coeffs_8bpc. `coefficients` is to be freed whatever the outcome. */
static mcv_status precompute_coeffs(int in_size, int out_size, PillowCoefficients *coefficients) {
    double scale = (double)(float)in_size / out_size; /* Pillow's box is made of floats */
    double filter_scale = scale < 1.0 ? 1.0 : scale;
    double inverse_filter_scale = 1.0 / filter_scale;
    double support = 2.0 * filter_scale;
    MCV_TRY(PillowCoefficients_allocate(coefficients, out_size, support));
    double *exact;
    MCV_TRY(MCV_NEW(&exact, coefficients->stride));
    for (int i = 0; i < out_size; i++) {
        double center = (i + 0.5) * scale, sum = 0.0;
        int first = (int)fmax(center - support + 0.5, 0), end = (int)fmin(center + support + 0.5, in_size);
        int32_t *weights = coefficients->weights + (size_t)i * coefficients->stride;
        for (int j = 0; j < end - first; j++) {
            exact[j] = bicubic_filter((j + first - center + 0.5) * inverse_filter_scale);
            sum += exact[j];
        }
        for (int j = 0; j < end - first; j++)
            weights[j] = to_fixed_point(sum != 0.0 ? exact[j] / sum : exact[j]);
        coefficients->first[i] = first;
        coefficients->count[i] = end - first;
    }
    free(exact);
    return MCV_OK;
}

static uint8_t clip8(int32_t sum) {
    int32_t value = sum < 0 ? 0 : sum >> PRECISION_BITS;
    return (uint8_t)(value > 255 ? 255 : value);
}

static mcv_status new_image(int width, int height, mcv_image *image) {
    *image = (mcv_image){.width = width, .height = height};
    size_t samples;
    if (!mcv_mul_size((size_t)width, (size_t)height, &samples) || !mcv_mul_size(samples, CHANNELS, &samples))
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory (an image of %d x %d)", width, height);
    return MCV_NEW(&image->rgb, samples);
}

/* ---- The passes in plain C ---------------------------------------------------------------------------------- */

static void resample_row(const uint8_t *in /* [in_w, 3] */, const PillowCoefficients *coefficients, int out_width,
                         uint8_t *out /* [out_w, 3] */) {
    for (int i = 0; i < out_width; i++) {
        const uint8_t *pixel = in + (size_t)coefficients->first[i] * CHANNELS;
        const int32_t *weights = coefficients->weights + (size_t)i * coefficients->stride;
        int32_t red = 1 << (PRECISION_BITS - 1), green = red, blue = red;
        for (int j = 0; j < coefficients->count[i]; j++, pixel += CHANNELS) {
            red += pixel[0] * weights[j];
            green += pixel[1] * weights[j];
            blue += pixel[2] * weights[j];
        }
        *out++ = clip8(red);
        *out++ = clip8(green);
        *out++ = clip8(blue);
    }
}

/* [h, in_w, 3] to [h, out_w, 3]. Pillow: ImagingResampleHorizontal_8bpc. */
static void resample_horizontal(const void *context, const mcv_image *in, const PillowCoefficients *coefficients,
                                mcv_image *out) {
    (void)context;
    for (size_t y = 0; y < (size_t)in->height; y++)
        resample_row(in->rgb + y * (size_t)in->width * CHANNELS, coefficients, out->width,
                     out->rgb + y * (size_t)out->width * CHANNELS);
}

/* [in_h, w, 3] to [out_h, w, 3], some samples of a row at a time. Pillow: ImagingResampleVertical_8bpc. */
static void resample_vertical(const void *context, const mcv_image *in, const PillowCoefficients *coefficients,
                              mcv_image *out) {
    enum { TOGETHER = 1024 };
    (void)context;
    size_t row = (size_t)in->width * CHANNELS;
    for (size_t at = 0; at < (size_t)out->height * row;) {
        size_t y = at / row, x = at % row, count = row - x < TOGETHER ? row - x : TOGETHER;
        const uint8_t *line = in->rgb + (size_t)coefficients->first[y] * row + x;
        int32_t sums[TOGETHER];
        for (size_t i = 0; i < count; i++)
            sums[i] = 1 << (PRECISION_BITS - 1);
        for (size_t j = 0; j < (size_t)coefficients->count[y]; j++, line += row)
            for (size_t i = 0; i < count; i++)
                sums[i] += line[i] * coefficients->weights[y * coefficients->stride + j];
        for (size_t i = 0; i < count; i++)
            out->rgb[at++] = clip8(sums[i]);
    }
}

const PillowPasses PILLOW_PASSES = {resample_horizontal, resample_vertical, NULL};

/* ---- Resizing ----------------------------------------------------------------------------------------------- */

/* One pass, to `out_width` where `horizontal`, else to `out_height`. */
static mcv_status resample(const PillowPasses *passes, bool horizontal, const mcv_image *in, int out_width,
                           int out_height, mcv_image *out) {
    PillowCoefficients coefficients = {0};
    int in_size = horizontal ? in->width : in->height, out_size = horizontal ? out_width : out_height;
    mcv_status status;
    MCV_TRY_GOTO(status, end, precompute_coeffs(in_size, out_size, &coefficients));
    MCV_TRY_GOTO(status, end, new_image(out_width, out_height, out));
    (horizontal ? passes->horizontal : passes->vertical)(passes->context, in, &coefficients, out);
end:
    PillowCoefficients_free(&coefficients);
    return status;
}

static bool vertical_comes_first(const mcv_image *in, int out_width, int out_height, PillowVersion version) {
    int64_t fewer_rows = (int64_t)in->height - out_height, fewer_columns = (int64_t)in->width - out_width;
    if (version == PILLOW_13)
        return fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
    return version == PILLOW_12_2 && in->height > 100 * (int64_t)in->width && fewer_rows > 0;
}

mcv_status pillow_resize_bicubic(const mcv_image *in, int out_width, int out_height, PillowVersion version,
                                 const PillowPasses *passes, mcv_image *out) {
    *out = (mcv_image){0};
    if (in->width < 1 || in->height < 1 || out_width < 1 || out_height < 1)
        return MCV_FAIL(MCV_BAD_INPUT, "resizing an image of %d x %d to %d x %d: every side must be at least 1",
                        in->width, in->height, out_width, out_height);
    mcv_image between = {0};
    /* A pass that keeps the size has the weights 0 and 1 only, and is left out by Pillow. */
    bool vertical_first = vertical_comes_first(in, out_width, out_height, version);
    int between_width = vertical_first ? in->width : out_width,
        between_height = vertical_first ? out_height : in->height;
    mcv_status status = resample(passes, !vertical_first, in, between_width, between_height, &between);
    if (status == MCV_OK)
        status = resample(passes, vertical_first, &between, out_width, out_height, out);
    free(between.rgb);
    if (status != MCV_OK) {
        free(out->rgb);
        *out = (mcv_image){0};
    }
    return status;
}
