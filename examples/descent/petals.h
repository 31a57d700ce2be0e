/* petals.h - petals of 150 iris flowers in centimetres: 50 each of the species setosa, versicolor
 * and virginica, in this order. Two of the four columns of the data set Iris of the UCI Machine
 * Learning Repository (R. A. Fisher 1936, https://doi.org/10.24432/C56C76), licence CC BY 4.0. */
#ifndef PETALS_H
#define PETALS_H

enum { PETALS = 150 };

static const float petal_length[PETALS] = {
    1.4f, 1.4f, 1.3f, 1.5f, 1.4f, 1.7f, 1.4f, 1.5f, 1.4f, 1.5f, 1.5f, 1.6f, 1.4f, 1.1f, 1.2f,
    1.5f, 1.3f, 1.4f, 1.7f, 1.5f, 1.7f, 1.5f, 1.0f, 1.7f, 1.9f, 1.6f, 1.6f, 1.5f, 1.4f, 1.6f,
    1.6f, 1.5f, 1.5f, 1.4f, 1.5f, 1.2f, 1.3f, 1.4f, 1.3f, 1.5f, 1.3f, 1.3f, 1.3f, 1.6f, 1.9f,
    1.4f, 1.6f, 1.4f, 1.5f, 1.4f, 4.7f, 4.5f, 4.9f, 4.0f, 4.6f, 4.5f, 4.7f, 3.3f, 4.6f, 3.9f,
    3.5f, 4.2f, 4.0f, 4.7f, 3.6f, 4.4f, 4.5f, 4.1f, 4.5f, 3.9f, 4.8f, 4.0f, 4.9f, 4.7f, 4.3f,
    4.4f, 4.8f, 5.0f, 4.5f, 3.5f, 3.8f, 3.7f, 3.9f, 5.1f, 4.5f, 4.5f, 4.7f, 4.4f, 4.1f, 4.0f,
    4.4f, 4.6f, 4.0f, 3.3f, 4.2f, 4.2f, 4.2f, 4.3f, 3.0f, 4.1f, 6.0f, 5.1f, 5.9f, 5.6f, 5.8f,
    6.6f, 4.5f, 6.3f, 5.8f, 6.1f, 5.1f, 5.3f, 5.5f, 5.0f, 5.1f, 5.3f, 5.5f, 6.7f, 6.9f, 5.0f,
    5.7f, 4.9f, 6.7f, 4.9f, 5.7f, 6.0f, 4.8f, 4.9f, 5.6f, 5.8f, 6.1f, 6.4f, 5.6f, 5.1f, 5.6f,
    6.1f, 5.6f, 5.5f, 4.8f, 5.4f, 5.6f, 5.1f, 5.1f, 5.9f, 5.7f, 5.2f, 5.0f, 5.2f, 5.4f, 5.1f,
};

static const float petal_width[PETALS] = {
    0.2f, 0.2f, 0.2f, 0.2f, 0.2f, 0.4f, 0.3f, 0.2f, 0.2f, 0.1f, 0.2f, 0.2f, 0.1f, 0.1f, 0.2f,
    0.4f, 0.4f, 0.3f, 0.3f, 0.3f, 0.2f, 0.4f, 0.2f, 0.5f, 0.2f, 0.2f, 0.4f, 0.2f, 0.2f, 0.2f,
    0.2f, 0.4f, 0.1f, 0.2f, 0.2f, 0.2f, 0.2f, 0.1f, 0.2f, 0.2f, 0.3f, 0.3f, 0.2f, 0.6f, 0.4f,
    0.3f, 0.2f, 0.2f, 0.2f, 0.2f, 1.4f, 1.5f, 1.5f, 1.3f, 1.5f, 1.3f, 1.6f, 1.0f, 1.3f, 1.4f,
    1.0f, 1.5f, 1.0f, 1.4f, 1.3f, 1.4f, 1.5f, 1.0f, 1.5f, 1.1f, 1.8f, 1.3f, 1.5f, 1.2f, 1.3f,
    1.4f, 1.4f, 1.7f, 1.5f, 1.0f, 1.1f, 1.0f, 1.2f, 1.6f, 1.5f, 1.6f, 1.5f, 1.3f, 1.3f, 1.3f,
    1.2f, 1.4f, 1.2f, 1.0f, 1.3f, 1.2f, 1.3f, 1.3f, 1.1f, 1.3f, 2.5f, 1.9f, 2.1f, 1.8f, 2.2f,
    2.1f, 1.7f, 1.8f, 1.8f, 2.5f, 2.0f, 1.9f, 2.1f, 2.0f, 2.4f, 2.3f, 1.8f, 2.2f, 2.3f, 1.5f,
    2.3f, 2.0f, 2.0f, 1.8f, 2.1f, 1.8f, 1.8f, 1.8f, 2.1f, 1.6f, 1.9f, 2.0f, 2.2f, 1.5f, 1.4f,
    2.3f, 2.4f, 1.8f, 1.8f, 2.1f, 2.4f, 2.3f, 1.9f, 2.3f, 2.5f, 2.3f, 1.9f, 2.0f, 2.3f, 1.8f,
};

#endif
