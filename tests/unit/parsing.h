/* parsing.h - for the tests of the front end: parse a text from a clean start, and get the reports
 * and the tree as text. */
#ifndef PARSING_H
#define PARSING_H
#include "tree.h"

/* Forgets everything that earlier tests made. */
void fresh_start(void);
/* All pending reports as they would be printed, without colour. */
const char *printed_reports(void);
/* Parses `length` bytes (-1: up to NUL) as the file p.nn, after a fresh start. */
DeclList parse_text(const char *text, int length);
/* What is printed for a text; "" when it has no errors. */
const char *reports_of(const char *text);
/* The tree of a text, printed; its reports if there are any. */
const char *printed_text(const char *text);

#endif
