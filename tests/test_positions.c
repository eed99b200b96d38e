/* Positions: NaViT's buckets against torch's, the resampler's sine table against its formula. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>

#include "ref/modeling_navit_siglip.h"
#include "ref/resampler.h"

Test(positions, navit_buckets_are_those_of_torch_for_every_side_up_to_300) {
    json_t *fixture = json_load_file("tests/fixtures/navit_buckets.json", 0, NULL);
    cr_assert(fixture, "tests/fixtures/navit_buckets.json cannot be read");
    json_t *departures = json_object_get(fixture, "departures");
    size_t listed = 0;
    for (int patches = 1; patches <= 300; patches++) {
        int32_t bucket[300], expected[300];
        char key[16];
        size_t index;
        json_t *departure;
        for (int i = 0; i < patches; i++)
            expected[i] = 70 * i / patches;
        snprintf(key, sizeof key, "%d", patches);
        json_array_foreach(json_object_get(departures, key), index, departure) {
            expected[json_integer_value(json_array_get(departure, 0))] =
                (int32_t)json_integer_value(json_array_get(departure, 1));
            listed++;
        }
        cr_assert_eq(navit_bucket_coords(patches, 70, bucket), MCV_OK);
        for (int i = 0; i < patches; i++)
            cr_assert_eq(bucket[i], expected[i], "patch %d of %d", i, patches);
    }
    cr_assert(listed > 0);
    json_decref(fixture);
}

Test(positions, sine_embedding_has_sines_then_cosines) {
    enum { DIM = 64 };
    float out[DIM];
    get_1d_sincos_pos_embed(DIM, 0, out);
    for (int i = 0; i < DIM / 2; i++) {
        cr_expect_eq(out[i], 0);
        cr_expect_eq(out[DIM / 2 + i], 1);
    }
    for (int position = 1; position < 72000; position += 997) {
        get_1d_sincos_pos_embed(DIM, position, out);
        for (int i = 0; i < DIM / 2; i++) {
            double angle = position / pow(10000, (double)i / (DIM / 2));
            double bound = 3 * 0x1p-24 * angle + 0x1p-24; /* power, quotient and product are rounded, then the sine */
            cr_expect_float_eq(out[i], sin(angle), bound, "sine %d of position %d", i, position);
            cr_expect_float_eq(out[DIM / 2 + i], cos(angle), bound);
            cr_expect(fabs((double)out[i] * (double)out[i] + (double)out[DIM / 2 + i] * (double)out[DIM / 2 + i] - 1) <
                      1e-6);
        }
    }
}
