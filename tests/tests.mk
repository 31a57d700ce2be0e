# The tests: `make check` (see tests/README.md).

UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_OBJ := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%.o)

$(B)/unit/%.o: tests/unit/%.c $(B)/parse.h | $(B)/unit
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(WARN) $(CPPFLAGS_C) -Itests/unit -MMD -MP -c -o $@ $<

$(B)/unit_tests: $(UNIT_OBJ) $(LIB_OBJ) $(B)/libnnrt.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $(UNIT_OBJ) $(LIB_OBJ) $(B)/libnnrt.a $(shell pkg-config --libs check) $(LIBS)

$(B)/unit:
	mkdir -p $@
