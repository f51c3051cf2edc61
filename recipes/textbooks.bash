# What the recipes on teacher-textbooks share; to be sourced, with the collection and the folder to work in as $1 and $2.
# RR names the program (default: build/reasonrank), MODEL the model (default: the one that `model pull` fetched), LIMIT
# takes so many windows of each split only: to see that it works.
here=$(cd "$(dirname "$0")/.." && pwd)
source=$(cd "$1" && pwd)
rr=$(realpath "${RR:-$here/build/reasonrank}")
limit=${LIMIT:-1000000}
[[ -z ${MODEL:-} ]] || MODEL=$(realpath "$MODEL")
[[ -z ${PACKS:-} ]] || PACKS=$(realpath "$PACKS")
mkdir -p "$2"
cd "$2"

base=(${MODEL:+--model "$MODEL"})
passages=(--passage-tokens 64)  # about 50 words; the teacher saw 90

step() { printf '\n== %s\n' "$*"; }
first() { awk -v limit="$limit" 'NR <= limit'; }

if [[ ! -e data/done ]]; then
  step data
  rm -rf data
  mkdir data
  "$here/recipes/textbooks-to-tasks" "$source" data/all
  gzip -dc "$source/corpus.jsonl.gz" >data/corpus.jsonl
  first <data/all/sft.jsonl >data/sft.jsonl
  grep '"final_list"' data/all/validation.jsonl | first >data/validation.jsonl
  first <data/all/queries.jsonl >data/queries.jsonl
  sed -E 's/.*"_id": "([^"]*)".*/\1/' data/queries.jsonl >data/qids
  of_those_asked() { awk 'NR == FNR { asked[$1]; next } $1 in asked' data/qids -; }
  of_those_asked <data/all/windows.trec >data/windows.trec
  gzip -dc "$source/run.bm25.top100.trec.gz" | of_those_asked >data/bm25.trec
  for split in sft validation; do
    grep "\"split\": \"$split\"" "$source/windows.jsonl" | grep '"final_list"' | first >data/$split.records
    for mode in reasoning direct; do
      "$rr" split data/$split.records --topics "$source/queries.jsonl" --corpus data/corpus.jsonl --sft 1 --validation 0 \
        --mode $mode "${base[@]}" "${passages[@]}" -o data/$mode-$split
    done
  done
  touch data/done
fi

# train KIND NAME OPTIONS: a run of `train sft` or `train grpo`, or what is left of it
train() {
  local kind=$1 name=$2
  shift 2
  [[ -e $name/done ]] && return
  step "learning: $name"
  if compgen -G "$name/checkpoints/*.safetensors" >/dev/null; then
    "$rr" train "$kind" --resume "$name"
  else
    rm -rf "$name"
    "$rr" train "$kind" "$@" -o "$name"
  fi
  touch "$name/done"
}

# rank_of NAME TOPICS CORPUS RUN OPTIONS: the candidates of a run as a model orders them
rank_of() {
  local name=$1 topics=$2 corpus=$3 run=$4
  shift 4
  [[ -e $name.trec ]] && return
  step "ranking: $name"
  "$rr" rerank "$@" "${passages[@]}" --topics "$topics" --corpus "$corpus" --run "$run" -o "$name.trec" --tag "$name" 2>&1 |
    tee "$name.log"
}
rank() { rank_of "$1" data/queries.jsonl data/corpus.jsonl "${@:2}"; }  # rank NAME RUN OPTIONS: the test questions
rank_pointwise() { rank "$1.pointwise" data/windows.trec "${@:2}" --method pointwise; }
rank_listwise() {  # rank_listwise MODE NAME OPTIONS: under the constraint; and free, to see who answers rightly alone
  rank "$2.listwise" data/windows.trec "${@:3}" --mode "$1" --max-thinking 192
  rank_free "$@"
}
rank_free() { rank "$2.free" data/windows.trec "${@:3}" --mode "$1" --max-thinking 192 --free-answer; }
