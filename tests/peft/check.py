#!/usr/bin/env python3
"""What PEFT makes of an adapter that was trained here: `tests/peft.rs` calls this and compares.

  python check.py MODEL_DIR ADAPTER_DIR 1,2,3     # prints {"logits": [[…] per position]}
  python check.py --has                           # says whether all that is needed is there

Needs torch, transformers, peft.
"""
import json, sys
import peft, torch, transformers

if sys.argv[1:] == ["--has"]:
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
    sys.exit()
model, adapter, ids = sys.argv[1:]
torch.set_num_threads(1)
base = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
# Every tensor of the file has its place, and every place its tensor: else PEFT only warns.
whole = peft.PeftModel.from_pretrained(base, adapter)
found = peft.utils.load_peft_weights(adapter, device="cpu")
wanted = peft.get_peft_model_state_dict(whole)
assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
assert all(torch.equal(found[name], wanted[name]) for name in found)
with torch.no_grad():
    logits = whole.eval()(torch.tensor([[int(i) for i in ids.split(",")]])).logits[0]
print(json.dumps(dict(logits=logits.tolist())))
