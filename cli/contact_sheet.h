/* A picture of the frames that were chosen from a video, in their groups: what the model sees, for people to see.
 *
 * Above each frame stands a band, one for all frames of a group: on its left the group's number, on the right, behind
 * "t", each frame's temporal id. Below stand the time and, behind "#", the frame's number in the video. */
#ifndef MCV_CLI_CONTACT_SHEET_H
#define MCV_CLI_CONTACT_SHEET_H

#include "formats/image.h"
#include "video/frame_sampling.h"

typedef struct mcv_contact_sheet {
    const mcv_frame_sampling *sampling;
    mcv_image page;
    int columns;                   /* frames a row: whole groups */
    int frame_width, frame_height; /* the room for a frame */
} mcv_contact_sheet;

/* For frames of about width x height pixels. `sampling` is to outlive the sheet. Release with mcv_contact_sheet_free.
 */
mcv_status mcv_contact_sheet_init(mcv_contact_sheet *sheet, const mcv_frame_sampling *sampling, int width, int height);
void mcv_contact_sheet_free(mcv_contact_sheet *sheet);

/* Draws frame number `position` of the sampling. */
mcv_status mcv_contact_sheet_put(mcv_contact_sheet *sheet, int position, const mcv_image *frame);

/* Writes a PNG file. */
mcv_status mcv_contact_sheet_write(const mcv_contact_sheet *sheet, const char *path);

#endif
