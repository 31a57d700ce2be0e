# The tests: `make check` runs them all; its last line is "N passed, M failed".
#   make check FULL=1    compares generated C in every combination of compilers and flags
#   make check SAN=1     the same with the address and undefined-behaviour sanitizers, in build/san
#   make coverage        runs them in build/coverage and prints which lines they reached (needs gcovr)
#   make update          rewrites the expected output in tests/lang, tests/errors and the README files of
#                        compiler and examples/lenet
# A unit suite is a file tests/unit/test_NAME.c with a function Suite *suite_NAME(void).

UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_OBJ := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%.o)
SUITES   := $(sort $(patsubst tests/unit/test_%.c,%,$(filter tests/unit/test_%,$(UNIT_SRC))))

$(B)/unit/suites.inc: $(UNIT_SRC) | $(B)/unit
	printf 'SUITE(%s)\n' $(SUITES) > $@

$(B)/unit/main.o: $(B)/unit/suites.inc

$(B)/unit/%.o: tests/unit/%.c $(B)/parse.h | $(B)/unit
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(WARN) $(CPPFLAGS_C) -Itests/unit -I$(B)/unit -MMD -MP -c -o $@ $<

$(B)/unit_tests: $(UNIT_OBJ) $(LIB_OBJ) $(RT_OBJ)
	$(CC) $(CFLAGS) $(SANFLAGS) -rdynamic -o $@ $(UNIT_OBJ) $(LIB_OBJ) $(RT_OBJ) $(shell pkg-config --libs check) $(LIBS)

$(B)/trailers: tests/trailers.c | $(B)
	$(CC) $(STD) $(CFLAGS) $(WARN) $(CPPFLAGS_C) -o $@ $<

$(B)/matrix: tests/c/matrix.c $(LIB_OBJ) $(B)/libnnrt.a
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(WARN) $(CPPFLAGS_C) -o $@ $< $(LIB_OBJ) $(B)/libnnrt.a $(LIBS)

$(B)/agree: tests/agree/agree.c $(LIB_OBJ) $(RT_OBJ)
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(WARN) $(CPPFLAGS_C) -rdynamic -o $@ $< $(LIB_OBJ) $(RT_OBJ) $(LIBS)

$(B)/unit:
	mkdir -p $@

# libcheck multiplies its limits of time: everything takes longer there
TEST_ENV := CC="$(CC)" CFLAGS="$(CFLAGS)" SANFLAGS="$(SANFLAGS)" $(if $(FULL),MATRIX=full) \
    $(if $(SANFLAGS),CK_TIMEOUT_MULTIPLIER=10)

check: $(B)/nnc $(B)/libnnrt.a $(B)/unit_tests $(B)/trailers $(B)/matrix $(B)/agree
	@$(TEST_ENV) sh tests/run.sh $(B)

coverage:
	@command -v gcovr >/dev/null || { echo "make coverage needs gcovr: apt-get install gcovr"; exit 1; }
	find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(MAKE) check B=build/coverage CFLAGS="-O0 -g --coverage -fprofile-update=atomic"
	gcovr -r . --filter compiler/ --filter runtime/ --sort-uncovered build/coverage

update: $(B)/nnc $(B)/trailers
	mkdir -p $(B)/tests
	NO_COLOR=1 $(B)/trailers --update $(abspath $(B)/nnc) $(abspath $(B)/tests/update) tests/lang tests/errors
	NNC=$(abspath $(B)/nnc) SCRATCH=$(abspath $(B)/tests/update) sh tests/docs/run.sh --update

.PHONY: check coverage update

# Times against other libraries, where PYTHON has them: never a test. See tests/bench/README.md.
bench: $(B)/nnc $(B)/libnnrt.a
	sh tests/bench/bench.sh $(B)

.PHONY: bench
