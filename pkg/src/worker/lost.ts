/**
 * Says when the graphics device is gone: a driver that was reset, a GPU process that ended. The engine opens the device
 * itself, so it is watched where every device is made.
 */
export function watchDevices(onLost: (reason: string) => void): void {
  if (typeof GPUAdapter === "undefined") {
    return;
  }
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await request.call(this, descriptor);
    void device.lost.then(({ reason, message }) => onLost(message.trim() === "" ? reason : message));
    return device;
  };
}
