#include "formats/gguf.h"

enum { NONE = -1 };

/* Those that nothing here computes are known all the same, so that files that hold them can be inspected. */
static const mcv_gguf_element ELEMENTS[] = {
    {0, "F32", 1, 4, MCV_WEIGHT_F32},
    {1, "F16", 1, 2, MCV_WEIGHT_F16},
    {2, "Q4_0", 32, 18, MCV_WEIGHT_Q4_0},
    {3, "Q4_1", 32, 20, MCV_WEIGHT_Q4_1},
    {6, "Q5_0", 32, 22, MCV_WEIGHT_Q5_0},
    {7, "Q5_1", 32, 24, MCV_WEIGHT_Q5_1},
    {8, "Q8_0", 32, 34, MCV_WEIGHT_Q8_0},
    {9, "Q8_1", 32, 40, NONE},
    {10, "Q2_K", 256, 84, MCV_WEIGHT_Q2_K},
    {11, "Q3_K", 256, 110, MCV_WEIGHT_Q3_K},
    {12, "Q4_K", 256, 144, MCV_WEIGHT_Q4_K},
    {13, "Q5_K", 256, 176, MCV_WEIGHT_Q5_K},
    {14, "Q6_K", 256, 210, MCV_WEIGHT_Q6_K},
    {15, "Q8_K", 256, 292, NONE},
    {16, "IQ2_XXS", 256, 66, NONE},
    {17, "IQ2_XS", 256, 74, NONE},
    {18, "IQ3_XXS", 256, 98, NONE},
    {19, "IQ1_S", 256, 50, NONE},
    {20, "IQ4_NL", 32, 18, MCV_WEIGHT_IQ4_NL},
    {21, "IQ3_S", 256, 110, NONE},
    {22, "IQ2_S", 256, 82, NONE},
    {23, "IQ4_XS", 256, 136, MCV_WEIGHT_IQ4_XS},
    {24, "I8", 1, 1, NONE},
    {25, "I16", 1, 2, NONE},
    {26, "I32", 1, 4, NONE},
    {27, "I64", 1, 8, NONE},
    {28, "F64", 1, 8, NONE},
    {29, "IQ1_M", 256, 56, NONE},
    {30, "BF16", 1, 2, MCV_WEIGHT_BF16},
    {34, "TQ1_0", 256, 54, NONE},
    {35, "TQ2_0", 256, 66, NONE},
    {39, "MXFP4", 32, 17, NONE},
    {40, "NVFP4", 64, 36, NONE},
};

enum { COUNT = sizeof ELEMENTS / sizeof *ELEMENTS };

const mcv_gguf_element *mcv_gguf_element_of(uint32_t type_id) {
    for (int i = 0; i < COUNT; i++)
        if (ELEMENTS[i].id == type_id)
            return &ELEMENTS[i];
    return NULL;
}

uint32_t mcv_gguf_type_id(mcv_weight_type type) {
    int i = 0;
    while (ELEMENTS[i].weight_type != (int)type)
        i++;
    return ELEMENTS[i].id;
}
