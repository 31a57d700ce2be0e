# The examples: build/examples/NAME/NAME from examples/NAME/NAME.nn and examples/NAME/*.c, and what
# several of them share from examples/common.
#   make examples    builds them all
#   make demo        trains and uses the network of examples/digits on Debian's Fashion-MNIST

comma := ,
SIMPLE   := graph gates xor theta descent neuron
TRAINED  := digits lenet residual vae physics
WRITING  := chars gpt
LEARNING := progress.c curve.c idx.c png.c
CONTINUE := progress.c curve.c text.c
EXAMPLES := $(SIMPLE) $(TRAINED) $(WRITING)
EXAMPLE_BIN := $(foreach e,$(EXAMPLES),$(B)/examples/$(e)/$(e)) $(B)/examples/digits/predict
DEMO_DATA := /usr/share/datasets/fashion-mnist
DEMO_TEXT := make demo needs zlib and pictures: apt-get install zlib1g-dev dataset-fashion-mnist

examples: $(EXAMPLE_BIN)

# $(call MODEL,FOLDER,NAME,OPTIONS): the C of a model. nnc leaves a file alone that would not
# change, so its time says nothing to make; touch does.
define MODEL
$(B)/examples/$(1)/$(2).c $(B)/examples/$(1)/$(2).h &: examples/$(1)/$(1).nn $(B)/nnc \
    | $(B)/examples
	$(B)/nnc compile $$< -o $(B)/examples/$(1) $(3)
	touch $(B)/examples/$(1)/$(2).c $(B)/examples/$(1)/$(2).h
endef

# $(call PROGRAM,FOLDER,NAME,MODEL,SOURCES,SHARED,LIBRARIES): SHARED lie in examples/common.
PARTS = $(4:%=examples/$(1)/%) $(5:%=examples/common/%)
define PROGRAM
$(B)/examples/$(1)/$(2): $(PARTS) $(wildcard examples/$(1)/*.h examples/common/*.h) \
    $(B)/examples/$(1)/$(3).c $(B)/examples/$(1)/$(3).h $(B)/libnnrt.a
	$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(WARN) -D_POSIX_C_SOURCE=200809L -Iruntime \
	    -I$(B)/examples/$(1) -Iexamples/$(1) -Iexamples/common -o $$@ $(PARTS) \
	    $(B)/examples/$(1)/$(3).c $(B)/libnnrt.a $(6) -lm
endef

$(foreach e,$(EXAMPLES),$(eval $(call MODEL,$(e),$(e),)))
$(foreach e,$(SIMPLE),$(eval $(call PROGRAM,$(e),$(e),$(e),main.c,,)))
$(foreach e,$(TRAINED),$(eval $(call PROGRAM,$(e),$(e),$(e),main.c,$(LEARNING),-lz)))
$(foreach e,$(WRITING),$(eval $(call PROGRAM,$(e),$(e),$(e),main.c,$(CONTINUE),)))
# for the tests: one pass of vector code, which takes a third of the time to compile
$(foreach e,$(WRITING),$(eval $(call PROGRAM,$(e),native,$(e),main.c,$(CONTINUE),-DNN_ONE_ISA -march=native)))
$(eval $(call MODEL,digits,reader,--name reader --entries predict$(comma)probs -D B=1))
$(eval $(call PROGRAM,digits,predict,reader,predict.c,idx.c,-lz))

$(B)/examples:
	mkdir -p $@

demo:
	@test -e $(DEMO_DATA)/train-images-idx3-ubyte.gz && \
	    echo '#include <zlib.h>' | $(CC) -E - >/dev/null 2>&1 || { echo "$(DEMO_TEXT)"; exit 1; }
	@$(MAKE) --no-print-directory $(B)/examples/digits/digits $(B)/examples/digits/predict
	$(B)/examples/digits/digits $(DEMO_DATA) 10 $(B)/examples/digits/fashion.safetensors
	$(B)/examples/digits/predict $(DEMO_DATA) $(B)/examples/digits/fashion.safetensors

.PHONY: examples demo
