#include "ref/pillow_resize.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Weights are fixed-point numbers with this many bits behind the point: 8 bits of the 32 are the sample's, 2 are left
 * for sums that go beyond 255 or below 0. */
enum { CHANNELS = 3, PRECISION_BITS = 32 - 8 - 2 };

/* Output sample i of a pass is the sum over j < count[i] of input sample first[i] + j times weights[i * stride + j]. */
typedef struct Coefficients {
    int *first, *count; /* [out_size] */
    int32_t *weights;   /* [out_size, stride] */
    size_t stride;
} Coefficients;

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

static void Coefficients_free(Coefficients *coefficients) {
    free(coefficients->first);
    free(coefficients->count);
    free(coefficients->weights);
}

static mcv_status Coefficients_allocate(Coefficients *coefficients, int out_size, double support) {
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
static mcv_status precompute_coeffs(int in_size, int out_size, Coefficients *coefficients) {
    double scale = (double)(float)in_size / out_size; /* Pillow's box is made of floats */
    double filter_scale = scale < 1.0 ? 1.0 : scale;
    double inverse_filter_scale = 1.0 / filter_scale;
    double support = 2.0 * filter_scale;
    MCV_TRY(Coefficients_allocate(coefficients, out_size, support));
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

static void resample_row(const uint8_t *in /* [in_w, 3] */, const Coefficients *coefficients, int out_width,
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
static mcv_status resample_horizontal(const mcv_image *in, int out_width, mcv_image *out) {
    Coefficients coefficients = {0};
    mcv_status status;
    MCV_TRY_GOTO(status, end, precompute_coeffs(in->width, out_width, &coefficients));
    MCV_TRY_GOTO(status, end, new_image(out_width, in->height, out));
    for (size_t y = 0; y < (size_t)in->height; y++)
        resample_row(in->rgb + y * (size_t)in->width * CHANNELS, &coefficients, out_width,
                     out->rgb + y * (size_t)out_width * CHANNELS);
end:
    Coefficients_free(&coefficients);
    return status;
}

/* [in_h, w, 3] to [out_h, w, 3], whole rows at a time. Pillow: ImagingResampleVertical_8bpc. */
static mcv_status resample_vertical(const mcv_image *in, int out_height, mcv_image *out) {
    Coefficients coefficients = {0};
    size_t row = (size_t)in->width * CHANNELS;
    int32_t *sums = NULL; /* [w, 3] */
    mcv_status status;
    MCV_TRY_GOTO(status, end, precompute_coeffs(in->height, out_height, &coefficients));
    MCV_TRY_GOTO(status, end, new_image(in->width, out_height, out));
    MCV_TRY_GOTO(status, end, MCV_NEW(&sums, row));
    for (size_t y = 0; y < (size_t)out_height; y++) {
        for (size_t x = 0; x < row; x++)
            sums[x] = 1 << (PRECISION_BITS - 1);
        for (int j = 0; j < coefficients.count[y]; j++) {
            const uint8_t *line = in->rgb + (size_t)(coefficients.first[y] + j) * row;
            int32_t weight = coefficients.weights[y * coefficients.stride + (size_t)j];
            for (size_t x = 0; x < row; x++)
                sums[x] += line[x] * weight;
        }
        for (size_t x = 0; x < row; x++)
            out->rgb[y * row + x] = clip8(sums[x]);
    }
end:
    free(sums);
    Coefficients_free(&coefficients);
    return status;
}

static bool vertical_comes_first(const mcv_image *in, int out_width, int out_height, PillowVersion version) {
    int64_t fewer_rows = (int64_t)in->height - out_height, fewer_columns = (int64_t)in->width - out_width;
    if (version == PILLOW_13)
        return fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
    return version == PILLOW_12_2 && in->height > 100 * (int64_t)in->width && fewer_rows > 0;
}

mcv_status pillow_resize_bicubic(const mcv_image *in, int out_width, int out_height, PillowVersion version,
                                 mcv_image *out) {
    *out = (mcv_image){0};
    if (in->width < 1 || in->height < 1 || out_width < 1 || out_height < 1)
        return MCV_FAIL(MCV_BAD_INPUT, "resizing an image of %d x %d to %d x %d: every side must be at least 1",
                        in->width, in->height, out_width, out_height);
    mcv_image between = {0};
    mcv_status status;
    /* A pass that keeps the size has the weights 0 and 1 only, and is left out by Pillow. */
    if (vertical_comes_first(in, out_width, out_height, version)) {
        MCV_TRY_GOTO(status, end, resample_vertical(in, out_height, &between));
        MCV_TRY_GOTO(status, end, resample_horizontal(&between, out_width, out));
    } else {
        MCV_TRY_GOTO(status, end, resample_horizontal(in, out_width, &between));
        MCV_TRY_GOTO(status, end, resample_vertical(&between, out_height, out));
    }
end:
    free(between.rgb);
    if (status != MCV_OK) {
        free(out->rgb);
        *out = (mcv_image){0};
    }
    return status;
}
