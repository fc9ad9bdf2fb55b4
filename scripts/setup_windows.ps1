# SPDX-License-Identifier: Apache-2.0
<#
.SYNOPSIS
    Set up fvhydra on Windows, from a checkout (docs/windows.md).
.PARAMETER Venv
    The virtual environment (.venv).
.PARAMETER Extras
    What is installed with fvhydra.
.PARAMETER Cache
    Where weights go: becomes HF_HOME whenever the environment is activated.
.PARAMETER Prefetch
    Weights to fetch at the end: all, wan, or names with commas.
.EXAMPLE
    powershell -ExecutionPolicy Bypass -File scripts\setup_windows.ps1 -Cache D:\weights -Prefetch wan
#>
param(
    [string]$Venv = "",
    [string]$Extras = "diffusers,sftp,zstd",
    [string]$Cache = "",
    [string]$Prefetch = "",
    [switch]$Help
)
$ErrorActionPreference = "Stop"

if ($Help) { Get-Help $PSCommandPath -Detailed; exit 0 }

function Assert-Success([string]$What) {
    if ($LASTEXITCODE -ne 0) { Write-Error "$What failed with exit code $LASTEXITCODE." }
}

$Root = Split-Path -Parent $PSScriptRoot
if (-not $Venv) { $Venv = Join-Path $Root ".venv" }

$Python = $null
foreach ($Candidate in @(@("py", "-3.13"), @("py", "-3.12"), @("py", "-3.11"), @("python"))) {
    $Arguments = @($Candidate | Select-Object -Skip 1) + @("-c", "import sys; sys.exit(sys.version_info < (3, 11))")
    if (Get-Command $Candidate[0] -ErrorAction SilentlyContinue) {
        & $Candidate[0] @Arguments 2>$null
        if ($LASTEXITCODE -eq 0) { $Python = $Candidate; break }
    }
}
if (-not $Python) {
    [Console]::Error.WriteLine("No Python 3.11 or newer was found; install one: winget install Python.Python.3.12")
    exit 2
}

$VenvPython = Join-Path $Venv "Scripts\python.exe"
if (-not (Test-Path $VenvPython)) {
    Write-Output "== environment $Venv"
    $Arguments = @($Python | Select-Object -Skip 1) + @("-m", "venv", $Venv)
    & $Python[0] @Arguments
    Assert-Success "Making the environment"
}

Write-Output "== fvhydra[$Extras]"
# pip's torch for Windows has no CUDA; PyTorch's install page names the index that has
if ($env:TORCH_INDEX_URL -and ($Extras -split ",") -contains "diffusers") {
    & $VenvPython -m pip install --quiet --disable-pip-version-check torch --index-url $env:TORCH_INDEX_URL
    Assert-Success "Installing torch"
}
& $VenvPython -m pip install --quiet --disable-pip-version-check --editable "${Root}[$Extras]"
Assert-Success "Installing fvhydra"

if ($Cache) {
    New-Item -ItemType Directory -Force -Path $Cache | Out-Null
    $Cache = (Resolve-Path $Cache).Path
    $env:HF_HOME = $Cache
    # Activate.ps1 is signed, so nothing is added to it
    $Own = Join-Path $Venv "Scripts\activate_fvhydra.ps1"
    $Line = "`$env:HF_HOME = '" + $Cache.Replace("'", "''") + "'"
    Set-Content -Path $Own -Encoding utf8 -Value @(". `"`$PSScriptRoot\Activate.ps1`"", $Line)
}

$Fvhydra = Join-Path $Venv "Scripts\fvhydra.exe"
if ($Prefetch) {
    $Models = if ($Prefetch.Contains(",")) { "[$Prefetch]" } else { $Prefetch }
    & $Fvhydra op=prefetch "model=$Models"
    Assert-Success "Fetching weights"
}

Write-Output "== the doctor"
& $Fvhydra op=doctor
$Status = $LASTEXITCODE
$Name = if ($Cache) { "activate_fvhydra.ps1" } else { "Activate.ps1" }
Write-Output "== next: $(Join-Path $Venv "Scripts\$Name"); fvhydra --help"
exit $Status
