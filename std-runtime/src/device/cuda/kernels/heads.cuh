// How the rows of an attention layer fall into sequences and heads. A row holds all queries, then all keys,
// then all values.
#pragma once

struct Heads {
    int rows;     // Sequences times positions.
    int length;   // Positions of a sequence.
    int heads;    // Query heads.
    int groups;   // Query heads of a key head.
    int width;    // Width of a head.
    int stride;   // Width of a row.
    int keys;     // Where keys begin in a row; the width of a row of queries, and of results.
    int values;   // Where values begin.
    int digits;   // Terms that positions add to scores.
    float scale;  // 1/sqrt(width)
};
