#!/bin/bash
# One session per task of a SLURM array. List the sessions, then submit as many tasks as there are lines:
#     find /data/study -name session.toml | sort > sessions.txt
#     sbatch --array=1-$(wc -l < sessions.txt)%50 slurm_array.sh
#SBATCH --job-name=muybridge
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --output=logs/%A_%a.log
set -euo pipefail
# without it a task would start a thread for every processor of the node
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
session=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "${SESSIONS:-sessions.txt}")
[ -n "$session" ] || { echo "sessions.txt has no line ${SLURM_ARRAY_TASK_ID}" >&2; exit 1; }
exec muybridge run "$session" --quiet
