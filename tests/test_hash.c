#include <criterion/criterion.h>

#include "formats/hash.h"
#include "tests/temporary.h"

/* Of no bytes and of the bytes 0, 1, ... 250, 0, 1, ..., made with python-xxhash's xxh3_64_hexdigest and
 * xxh3_128_hexdigest. The lengths take each of the algorithm's ways. */
static const struct {
    size_t size;
    const char *xxh3_64, *xxh3_128;
} VECTORS[] = {
    {0, "2d06800538d394c2", "99aa06d3014798d86001c324468d497f"},
    {1, "c44bdff4074eecdb", "a6cd5e9392000f6ac44bdff4074eecdb"},
    {3, "5f4299fc161c9cbb", "e3b55f57945a17cf5f4299fc161c9cbb"},
    {4, "60dab036a58211f2", "eb70bf5fc779e9e6a6111d53e80a3db5"},
    {8, "3a1c2d7c85af88f8", "e1e4432a62217fe4cfd50c61c8bb98c1"},
    {9, "e9612598145bb9dc", "16c769d83e4aebce907931979dca3746"},
    {16, "8355e3a6f61770db", "72950631827607e2842812cc870dcae2"},
    {17, "9ef341a99de37328", "685bc458b37d057fc06e233df7729217"},
    {128, "85c6174c7ff4c46b", "14792fc3af88dc6c05321a0b64d67b41"},
    {129, "ec7642b431ba3e5a", "dd5e74ac6b45f54ebc30b63382b09a3b"},
    {240, "375a384d957fe865", "65b5be86da5540e7c92b68e16f83bbb6"},
    {241, "02e8cd95421c6d02", "1da1cb61bcb8a2a102e8cd95421c6d02"},
    {1024, "e5d78bafa45b2aa5", "d0ac1f7b93bf57b9e5d78bafa45b2aa5"},
    {1025, "e95c42288f28186e", "2882ebca04ec915ce95c42288f28186e"},
    {5000, "b418500fc42320ee", "b92ec02c39d33ce7b418500fc42320ee"},
};

static void expect_vector(const mcv_hash *hash, size_t i) {
    cr_expect_str_eq(hash->xxh3_64, VECTORS[i].xxh3_64);
    cr_expect_str_eq(hash->xxh3_128, VECTORS[i].xxh3_128);
}

Test(hash, bytes_files_and_tensors_agree_with_python) {
    unsigned char data[5000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i % 251);
    for (size_t i = 0; i < sizeof VECTORS / sizeof VECTORS[0]; i++) {
        size_t size = VECTORS[i].size;
        mcv_hash hash = mcv_hash_bytes(data, size);
        expect_vector(&hash, i);
        cr_assert_eq(mcv_hash_file(temporary_file("data", data, size), &hash), MCV_OK);
        expect_vector(&hash, i);
        mcv_tensor tensor = MCV_TENSOR(MCV_U8, data, (int64_t)size);
        cr_assert_eq(mcv_hash_tensor(&tensor, &hash), MCV_OK);
        expect_vector(&hash, i);
    }
}

Test(hash, only_a_tensors_data_counts) {
    const float data[6] = {1, 2, 3, 4, 5, 6};
    mcv_tensor a = MCV_TENSOR(MCV_F32, data, 2, 3), b = MCV_TENSOR(MCV_I32, data, 6), c = MCV_TENSOR(MCV_F32, data, 5);
    mcv_hash of_a, of_b, of_c;
    cr_assert_eq(mcv_hash_tensor(&a, &of_a), MCV_OK);
    cr_assert_eq(mcv_hash_tensor(&b, &of_b), MCV_OK);
    cr_assert_eq(mcv_hash_tensor(&c, &of_c), MCV_OK);
    cr_expect_str_eq(of_a.xxh3_128, of_b.xxh3_128);
    cr_expect_str_neq(of_a.xxh3_128, of_c.xxh3_128);
}

Test(hash, failures) {
    mcv_hash hash;
    mcv_tensor odd = MCV_TENSOR(MCV_F4, "x", 1);
    cr_expect_eq(mcv_hash_file(temporary_path("none"), &hash), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "none: cannot be opened"));
    cr_expect_eq(mcv_hash_tensor(&odd, &hash), MCV_USAGE);
}
