# make            build/nnc (the compiler) and build/libnnrt.a (the runtime)
# make demo       learn to read clothes on real images          make check   all tests
# make install    PREFIX= DESTDIR=                               make clean format update
# make SAN=1      everything under the address and undefined-behaviour sanitizers, in build/san

CC       ?= cc
BISON    ?= bison
RE2C     ?= re2c
PREFIX   ?= /usr/local
ifdef SAN
B        ?= build/san
CFLAGS   ?= -O1 -g
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -DNNC_SANITIZED
endif
B        ?= build
CFLAGS   ?= -O2 -g
VERSION  := 0.1.0

STD      := -std=c11
WARN     := -Wall -Wextra -Wconversion -Wshadow -pedantic
# generated lexers and parsers are not written by hand, so they answer to fewer warnings
CPPFLAGS_C = -Icompiler -Iruntime -I$(B) -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -DNNC_VERSION='"$(VERSION)"'
LIBS     := $(shell pkg-config --libs libcjson 2>/dev/null || echo -lcjson) -ldl -lm

SRC      := $(wildcard compiler/*.c)
OBJ      := $(SRC:compiler/%.c=$(B)/compiler/%.o) $(B)/parse.o $(B)/lex.o $(B)/embedded.o
RT_SRC   := $(wildcard runtime/*.c)
RT_OBJ   := $(RT_SRC:runtime/%.c=$(B)/runtime/%.o)
# what the unit tests are linked with: everything but the commands
LIB_OBJ  := $(filter-out $(B)/compiler/main.o $(B)/compiler/cmd_%.o $(B)/compiler/show_%.o,$(OBJ))
EMBED    := $(sort $(wildcard compiler/std/*.nn) $(wildcard runtime/*.h) $(wildcard runtime/*.c))

all: $(B)/nnc $(B)/libnnrt.a

# `nnc test` loads programs that find the runtime in nnc itself
$(B)/nnc: $(OBJ) $(RT_OBJ)
	$(CC) $(CFLAGS) $(SANFLAGS) -rdynamic -o $@ $(OBJ) $(RT_OBJ) $(LIBS)

$(B)/libnnrt.a: $(RT_OBJ)
	rm -f $@
	ar rcs $@ $(RT_OBJ)

$(B)/compiler/%.o: compiler/%.c $(B)/parse.h | $(B)/compiler
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(WARN) $(CPPFLAGS_C) -MMD -MP -c -o $@ $<

$(B)/runtime/%.o: runtime/%.c | $(B)/runtime
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(WARN) -Iruntime -MMD -MP -c -o $@ $<

$(B)/parse.c $(B)/parse.h &: compiler/parse.y | $(B)
	$(BISON) -Werror --header=$(B)/parse.h --report=states --report-file=$(B)/parse.output -o $(B)/parse.c $<

$(B)/lex.c: compiler/lex.re | $(B)
	$(RE2C) -W -Werror --no-debug-info -o $@ $<

$(B)/parse.o $(B)/lex.o: $(B)/%.o: $(B)/%.c $(B)/parse.h
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) -Wall -Wextra $(CPPFLAGS_C) -MMD -MP -c -o $@ $<

# The library in the language and the runtime's text, as byte arrays inside the compiler.
$(B)/embed: compiler/embed/embed.c | $(B)
	$(CC) $(STD) -O1 $(WARN) -D_POSIX_C_SOURCE=200809L -o $@ $<

$(B)/embedded.c: $(B)/embed $(EMBED)
	$(B)/embed $(EMBED) > $@.tmp
	mv $@.tmp $@

$(B)/embedded.o: $(B)/embedded.c
	$(CC) $(STD) -O0 $(WARN) $(CPPFLAGS_C) -c -o $@ $<

$(B) $(B)/compiler $(B)/runtime:
	mkdir -p $@

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(B)/nnc $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(B)/libnnrt.a $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(wildcard runtime/nn*.h) $(DESTDIR)$(PREFIX)/include
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: nnrt' 'Version: $(VERSION)' \
	  'Description: the runtime of networks that nnc has compiled' \
	  'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lnnrt -lm' \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/nnrt.pc

clean:
	rm -rf $(B)

format:
	clang-format -i compiler/*.c compiler/*.h runtime/*.c runtime/*.h tests/unit/*.c tests/unit/*.h

-include $(wildcard $(B)/*.d $(B)/compiler/*.d $(B)/runtime/*.d $(B)/unit/*.d)
include examples/examples.mk
include tests/tests.mk

.PHONY: all install clean format
